"""The arithmetic of docs/numerics.md in NumPy: roundings, product, lane sum, unary functions.

Written from the document alone. Arrays are float32; NumPy's +, -, *, / and sqrt are IEEE 754. No
np.sum, dot, matmul or einsum: their orders are their own.
"""

import mpmath
import numpy as np

F32, F64 = np.float32, np.float64

# A float64 whose low 29 bits are these is the middle of two normal float32s.
LOW_BITS, MIDDLE = np.int64(0x1FFFFFFF), np.int64(0x10000000)
SMALLEST_NORMAL_DOUBLED = 2.0**-125

# The x87 functions are off by an ulp or two (2^-63, relative); where this much does not decide the
# float, 300 bits do.
UNARY_ERROR = np.longdouble(2) ** -58
assert np.finfo(np.longdouble).nmant >= 63, "a long double has too few bits here"

RUN = 256  # of a chained product
LANES = 32


def f32(number):
    """A scalar computed in float64, rounded to float32."""
    return F32(float(number))


def to_odd(p, c, s):
    """p + c rounded to odd, for s = p + c rounded to nearest: what rounds once more correctly."""
    other = s - p
    error = (p - (s - other)) + (c - other)
    even = (s.view(np.int64) & 1) == 0
    towards = np.where(error > 0, np.inf, -np.inf)
    return np.where((error != 0) & even, np.nextafter(s, towards), s)


def add_rounded_once(p, c):
    """The float32 nearest to p + c, as float64; p and c are exact float64s.

    Rounding to float64 first does no harm but where it ends on the middle of two float32s.
    """
    s = p + c
    doubtful = ((s.view(np.int64) & LOW_BITS) == MIDDLE) | (
        (np.abs(s) < SMALLEST_NORMAL_DOUBLED) & (s != 0)
    )
    if doubtful.any():
        p, c = np.broadcast_to(p, s.shape)[doubtful], np.broadcast_to(c, s.shape)[doubtful]
        s[doubtful] = to_odd(p, c, s[doubtful])
    return s.astype(F32).astype(F64)


def fma(a, b, c):
    """a b + c rounded once. The product of two float32s is exact in float64."""
    a, b, c = (np.asarray(x, F32).astype(F64) for x in (a, b, c))
    return np.atleast_1d(add_rounded_once(a * b, c)).astype(F32)


def nearest_float32(exact):
    """The float32 nearest to an mpmath number, ties to even."""
    near = F32(float(exact))
    candidates = [np.nextafter(near, F32(-np.inf)), near, np.nextafter(near, F32(np.inf))]
    return min(
        candidates,
        key=lambda x: (abs(mpmath.mpf(float(x)) - exact), int(x.view(np.int32)) & 1),
    )


def correctly_rounded(function, exact):
    """The float32 function nearest to `exact`, an mpmath function, from a long double one."""

    def rounded(x):
        x = np.asarray(x, F32)
        wide = function(x.astype(np.longdouble))
        low = (wide * (1 - UNARY_ERROR)).astype(F32)
        high = (wide * (1 + UNARY_ERROR)).astype(F32)
        undecided = (low != high) & ~np.isnan(low)
        if undecided.any():
            with mpmath.workprec(300):
                for i in np.argwhere(undecided):
                    low[tuple(i)] = nearest_float32(exact(mpmath.mpf(float(x[tuple(i)]))))
        return low

    return rounded


exp = correctly_rounded(np.exp, mpmath.exp)
log = correctly_rounded(np.log, mpmath.log)
rsqrt = correctly_rounded(lambda x: 1 / np.sqrt(x), lambda x: 1 / mpmath.sqrt(x))
sin = correctly_rounded(np.sin, mpmath.sin)
cos = correctly_rounded(np.cos, mpmath.cos)


def scaled(frequency, rope):
    """llama3 scaling of an mpmath frequency."""
    low, high = mpmath.mpf(rope["low_freq_factor"]), mpmath.mpf(rope["high_freq_factor"])
    turns = rope["original_max_position_embeddings"] * frequency / (2 * mpmath.pi)
    slow = frequency / mpmath.mpf(rope["factor"])
    if turns < low:
        return slow
    if turns > high:
        return frequency
    s = (turns - low) / (high - low)
    return (1 - s) * slow + s * frequency


def rope_table(theta, head_dim, positions, rope=None):
    """Cosines and sines, each [positions, head_dim / 2]; `rope`: parameters of llama3 scaling."""
    with mpmath.workprec(300):
        exact = [mpmath.mpf(theta) ** (mpmath.mpf(-2 * i) / head_dim) for i in range(head_dim // 2)]
        if rope:
            exact = [scaled(frequency, rope) for frequency in exact]
        frequencies = np.array([nearest_float32(frequency) for frequency in exact], F32)
    angles = np.arange(positions).astype(F32)[:, None] * frequencies
    return cos(angles), sin(angles)


class Arithmetic:
    """The reductions. A test overrides one to see that its order shows."""

    lanes = LANES
    halves = (16, 8, 4, 2, 1)

    def order(self, count):
        """In which order a product goes over its k."""
        return range(count)

    def product(self, a, b, start=None):
        """A [..., M, K] times B [..., K, N], from +0 or continuing with `start`."""
        a = np.moveaxis(a.astype(F64), -1, 0)[..., None]
        b = np.moveaxis(b.astype(F64), -2, 0)[..., None, :]
        shape = np.broadcast_shapes(a.shape[1:], b.shape[1:])
        s = np.zeros(shape) if start is None else start.astype(F64)
        for k in self.order(len(a)):
            s = add_rounded_once(a[k] * b[k], s)
        return s.astype(F32)

    def chained(self, a, b):
        """The product in runs of 256, added in their order."""
        parts = [
            self.product(a[..., k : k + RUN], b[..., k : k + RUN, :])
            for k in range(0, a.shape[-1], RUN)
        ]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total

    def tree(self, lanes):
        for half in self.halves:
            lanes = lanes[..., :half] + lanes[..., half : 2 * half]
        return lanes[..., 0]

    def lane_sum(self, x):
        """Over the last axis, in the type of x."""
        lanes = np.zeros((*x.shape[:-1], self.lanes), x.dtype)
        for i in range(0, x.shape[-1], self.lanes):
            part = x[..., i : i + self.lanes]
            lanes[..., : part.shape[-1]] += part
        return self.tree(lanes)

    def lane_sum_of_products(self, a, b):
        """Over the last axis of float32s."""
        lanes = np.zeros((*a.shape[:-1], self.lanes), F32)
        for i in range(0, a.shape[-1], self.lanes):
            part = a[..., i : i + self.lanes]
            lane = lanes[..., : part.shape[-1]]
            lanes[..., : part.shape[-1]] = fma(part, b[..., i : i + self.lanes], lane)
        return self.tree(lanes)

    def lane_sum_of_squares(self, x):
        """Of float32s, in float64, where the squares are exact: so + is fma."""
        return self.lane_sum(x.astype(F64) * x.astype(F64))
