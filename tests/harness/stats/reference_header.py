"""How the make_*_reference.py here write their C++ headers."""


def text(value):
    """A text, a number (of numpy, too), or a list of these, as C++ reads it to the last bit."""
    if isinstance(value, str):
        return f'"{value}"'
    if hasattr(value, "__iter__"):
        return "{" + ", ".join(text(x) for x in value) + "}"
    return repr(float(value)) if isinstance(value, float) else str(value)


def print_rows(name, fields, rows):
    """struct `name` of `fields`, and its list k`name`s of `rows`."""
    print(f"struct {name} {{\n  {fields};\n}};\n")
    print(f"inline const std::vector<{name}> k{name}s = {{")
    for row in rows:
        print("    {" + ", ".join(text(x) for x in row) + "},")
    print("};\n")
