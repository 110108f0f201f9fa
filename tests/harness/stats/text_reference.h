// Written by make_text_reference.py with Python 3.11.2 and scikit-learn 1.9.1.
#pragma once

#include <string>
#include <vector>

namespace twinrun::harness {

struct TextCase {
  std::string answer, reference, answer_plain, reference_plain;
  double f1;
};

inline const std::vector<TextCase> kTextCases = {
    {"", "", "", "", 0.0},
    {"", "x", "", "x", 0.0},
    {"the", "an", "", "", 0.0},
    {"The Cat", "cat", "cat", "cat", 1.0},
    {"a cat sat", "the cat sat down", "cat sat", "cat sat down", 0.8},
    {"U\056S\056A\056", "usa", "usa", "usa", 1.0},
    {"theory", "the ory", "theory", "ory", 0.0},
    {"a\055b", "ab", "ab", "ab", 1.0},
    {"a\137b", "a b", "ab", "b", 0.0},
    {"end\054the begin", "end begin", "endthe begin", "end begin", 0.5},
    {"to be or not to be", "to be to be", "to be or not to be", "to be to be", 0.8},
    {"tab\011new\012line\013\014\015", "tab new line", "tab new line", "tab new line", 1.0},
    {"x\034y", "x y", "x y", "x y", 1.0},
    {"a\001the\001b", "b", "\001 \001b", "b", 0.0},
    {"2\054500 an hour", "2500 hour", "2500 hour", "2500 hour", 1.0},
    {"\0445", "5", "5", "5", 1.0},
    {"A an THE", "", "", "", 0.0},
    {"\047a\047", "a", "", "", 0.0},
    {"word word word", "word", "word word word", "word", 0.5},
    {"one two three", "four five six", "one two three", "four five six", 0.0},
    {"\177the\177", "x", "\177 \177", "x", 0.0},
    {"\076a\054\175\035\051\134\133", "\137\046\043", "", "", 0.0},
    {"0t\050\077\045e\056\053nzy\045", "t\035\047h\036\035\052y", "0tenzy", "t h y", 0.0},
    {"\050\057\0519\051H\044\135\0510\1761za\055\036E\043\1771 ", "\044\043\177\046\037\042\140\177\075T\0441\177\041\015AA\134\0560\051\076\055", "9h01za e\1771", "\177 \177t1\177 aa0", 0.0},
    {"\036\174\077\133\054\0770\015\056\052", "\046\056\133\140\046te\035\051 a\100\053 \036T\042\035\173\100\075", "0", "te t", 0.0},
    {"\050\176\076\045\073\045n\0119y", "\100\011\042\054\042e\1400\041\140\036", "n 9y", "e0", 0.0},
    {"y\177T\1749\075\011\075\046\134\001\074", "\035\137\011\046\175\134t\036z\051n", "y\177t9 \001", "t zn", 0.0},
    {"t\013Ea0\173A\074\100\075\072\135at\073\176", "\001\137\001\037\001a\076\011\055E", "t ea0aat", "\001\001 \001 e", 0.0},
    {"\056\073\140\075", "az9\013\1401\014t\050y\013T", "", "az9 1 ty t", 0.0},
    {"\072\001\052\013\037\043\176\135\133\1369\140e\041A\072", "\135y\050", "\001 9ea", "y", 0.0},
    {"\043y\045\177\047", "\054\014\133\036tzT  H\036\135\013\036y\041\133\044\036\042\056", "y\177", "tzt h y", 0.0},
    {"\052\074\057az\174\044\140\056\036h\133\174A\134\057\074\133h\047", "\046\050a\077\045\140\043H\136A\176\044\135\14001\042\100\175\055\076\072", "az hah", "aha01", 0.0},
    {"\173a\015\175\076\034\137\137\0140\176", "\077e\052\055\077\076\075", "0", "e", 0.0},
    {"\035n\075At\176H\077\073E\044\137", "t\052H\012", "nathe", "th", 0.0},
    {"\072\046\053\057\0549\173", "\077e", "9", "e", 0.0},
    {"\176\050\056\173\051\173\057\052ax\053\055\074xe\174\015\176\042x\055", "H\043\012\057\072\072t9\036\076", "axxe x", "h t9", 0.0},
    {"\136\174\0349\013\034\015\140\074 y\057\043", "\035\056", "9 y", "", 0.0},
    {"\011\053\047\034a9\034\050\0540\042\173\052\037\041", "\077 \037\055H\140\176\035\047\140n\055\044\136\043\135T", "a9 0", "h nt", 0.0},
    {" \036\051y\074\100x ", "\055\011a\042\135\137x\050\036\173a\056t\014\076", "yx", "ax at", 0.0},
    {"\011x\073\176nyh \137\177\176\140zah", "\073\012\137t\034\072A\013\011\0449\001", "xnyh \177zah", "t 9\001", 0.0},
    {"ex\015z", "\0579", "ex z", "9", 0.0},
    {"\051\001\055\053\1371EEt\174\173\133\057\176h\175\057en\014n", "T\034\140eT\034\034\046\136\034\042\050\036", "\0011eethen n", "t et", 0.0},
    {"\057\137A", "\054Hh\077\015n\136T ", "", "hh nt", 0.0},
    {"\053\173\073\1770\012\046\077\0340e\075\133", "xT\0351\073\1409\047\013\053\177\073\044\057E0\013n", "\1770 0e", "xt 19 \177e0 n", 0.0},
    {"\136AA\056e\054 y\052\175\015\175\014\072\140A", "\176\0450\174\015\133\140", "aae y", "0", 0.0},
    {"\174z\076 \133\035\100a", "nt\055A\015e", "z", "nta e", 0.0},
    {"\074T\055z\134\134\011\074A\056H\043\044\076T", "h\041", "tz aht", "h", 0.0},
    {"\050\035za\011h\012n0\015\075\176\140\044\045", "h\134\133\051\036T\046\177\174", "za h n0", "h t\177", 0.4},
    {"\076\175\036\035\045", "\042\045\174\045\045\011\077\072", "", "", 0.0},
    {"\045H\133\050\044\174\174AA", "\053\073", "haa", "", 0.0},
    {"\054\051\057n\045\052\057\176\012", "\037\074\100\074\047t\013\072\037\034\072\136A9\075\037\136\100", "n", "t a9", 0.0},
    {"\055\173\043xt\001\0730\175\0439\173\037T\041\057\013\075", "\043hx\136\0759", "xt\00109 t", "hx9", 0.0},
    {"\100\075\036", "\134z\054", "", "z", 0.0},
    {"\175\012", "\177\177HH\176", "", "\177\177hh", 0.0},
    {"\045n\055\074\177\137", "\076\035", "n\177", "", 0.0},
    {"\046\015\173", "\041", "", "", 0.0},
    {"e\052\012\045\077\012\013\135n\136t\014\074\176\0450\014\042", "\175tT \136\174", "e nt 0", "tt", 0.0},
    {"\035\053\135\011\012\043\0749e\0461\074\056x\176\046\050\047", "\0131\0421\055", "9e1x", "11", 0.0},
    {"on", "dog sat dog the", "on", "dog sat dog", 0.0},
    {"the on", "sat dog cat mat\054 cat a", "on", "sat dog cat mat cat", 0.0},
    {"sat on Cat\056 the", "the dog", "sat on cat", "dog", 0.0},
    {"cat sat cat", "cat the mat\054 Cat\056", "cat sat cat", "cat mat cat", 0.6666666666666666},
    {"cat the on dog mat\054 the", "Cat\056 dog", "cat on dog mat", "cat dog", 0.6666666666666666},
    {"mat\054 dog Cat\056 mat\054 a an", "an", "mat dog cat mat", "", 0.0},
    {"sat an dog the an", "mat\054", "sat dog", "mat", 0.0},
    {"Cat\056 dog Cat\056 sat", "mat\054 sat", "cat dog cat sat", "mat sat", 0.3333333333333333},
    {"a", "on on on an sat", "", "on on on sat", 0.0},
    {"an sat mat\054 a Cat\056", "sat mat\054 a on on on an", "sat mat cat", "sat mat on on on", 0.5},
    {"mat\054 a mat\054 cat a a sat", "the", "mat mat cat sat", "", 0.0},
    {"cat an cat an", "cat a", "cat cat", "cat", 0.6666666666666666},
    {"on cat Cat\056 the sat cat cat", "on an a", "on cat cat sat cat cat", "on", 0.2857142857142857},
    {"on Cat\056 Cat\056 cat", "dog Cat\056 Cat\056 a", "on cat cat cat", "dog cat cat", 0.5714285714285715},
    {"on", "sat cat a a a the", "on", "sat cat", 0.0},
    {"dog an on", "an cat", "dog on", "cat", 0.0},
    {"mat\054", "sat dog sat mat\054 cat", "mat", "sat dog sat mat cat", 0.33333333333333337},
    {"a an on dog", "Cat\056 mat\054", "on dog", "cat mat", 0.0},
    {"mat\054 sat cat sat a", "an sat dog", "mat sat cat sat", "sat dog", 0.3333333333333333},
    {"the dog a a dog an an", "Cat\056 on cat", "dog dog", "cat on cat", 0.0},
    {"on Cat\056", "the", "on cat", "", 0.0},
    {"sat Cat\056 an a", "on sat on an", "sat cat", "on sat on", 0.4},
    {"the on the", "the on Cat\056", "on", "on cat", 0.6666666666666666},
    {"dog an cat Cat\056 the on sat", "cat a a cat Cat\056", "dog cat cat on sat", "cat cat cat", 0.5},
    {"an sat", "mat\054 the sat", "sat", "mat sat", 0.6666666666666666},
    {"cat mat\054 the the mat\054 Cat\056", "cat an Cat\056 sat mat\054 the", "cat mat mat cat", "cat cat sat mat", 0.75},
    {"an a mat\054 a sat a an", "a", "mat sat", "", 0.0},
    {"a cat on Cat\056 Cat\056", "a dog a a cat an cat", "cat on cat cat", "dog cat cat", 0.5714285714285715},
    {"an sat sat mat\054 on", "sat an cat Cat\056", "sat sat mat on", "sat cat cat", 0.28571428571428575},
    {"sat sat Cat\056 sat Cat\056", "sat a sat dog dog cat Cat\056", "sat sat cat sat cat", "sat sat dog dog cat cat", 0.7272727272727272},
    {"an the", "Cat\056 mat\054 on", "", "cat mat on", 0.0},
    {"sat cat a the dog dog", "sat on", "sat cat dog dog", "sat on", 0.3333333333333333},
    {"cat", "dog", "cat", "dog", 0.0},
    {"a", "mat\054", "", "mat", 0.0},
    {"a the dog Cat\056 dog", "cat sat on", "dog cat dog", "cat sat on", 0.3333333333333333},
    {"Cat\056 mat\054 the", "cat", "cat mat", "cat", 0.6666666666666666},
    {"on cat a sat", "cat cat on an mat\054", "on cat sat", "cat cat on mat", 0.5714285714285715},
    {"a a", "cat the cat dog", "", "cat cat dog", 0.0},
    {"sat cat dog on", "cat", "sat cat dog on", "cat", 0.4},
    {"cat the an sat on dog", "mat\054 sat dog", "cat sat on dog", "mat sat dog", 0.5714285714285715},
};

struct LabelCase {
  std::vector<std::string> answers, references;
  double accuracy, macro_f1;
};

inline const std::vector<LabelCase> kLabelCases = {
    {{"Yes"}, {"Yes"}, 1.0, 1.0},
    {{"other"}, {"yes\056"}, 0.0, 0.0},
    {{"No\041", "no", "other", "Yes", "yes", "yes\056", "the maybe", "no"}, {"No\041", "No\041", "No\041", "Yes", "the maybe", "yes\056", "the maybe", "no"}, 0.75, 0.7746031746031745},
    {{"no", "the maybe", "yes\056", "no", "No\041", "other", "no", "", "No\041", "the maybe", "yes\056", "yes\056", "no", "", "No\041", "the maybe", "No\041", "yes\056", "yes", "no", "No\041", "Yes", "yes\056", "No\041", "other", "No\041", "", "No\041", "yes\056", "the maybe", "the maybe", "Yes", "yes\056", "other", "yes\056", "no", "yes", "No\041", "No\041", "no", "the maybe", "the maybe", "No\041", "other", "", "other", "No\041", "the maybe", "yes\056", "Yes"}, {"no", "the maybe", "yes\056", "no", "No\041", "No\041", "no", "No\041", "No\041", "the maybe", "yes\056", "yes\056", "no", "Yes", "No\041", "the maybe", "No\041", "yes\056", "yes\056", "no", "No\041", "Yes", "yes\056", "No\041", "no", "No\041", "no", "No\041", "yes\056", "the maybe", "the maybe", "Yes", "yes\056", "Yes", "yes\056", "no", "Yes", "No\041", "No\041", "no", "the maybe", "the maybe", "No\041", "yes\056", "No\041", "yes\056", "No\041", "the maybe", "yes\056", "Yes"}, 0.82, 0.9195736434108527},
    {{"", "no", "no", "other", "other", "", "yes", "yes", "", "no", "", "no", "yes", "yes", "no", "other", "yes", "other", "yes", "yes", "no", "other", "yes", "yes", "other", "", "other", "other", "yes", "no", "yes", "no", "no", "no", "no", "", "no", "no", "", "", "other", "yes", "no", "yes", "", "yes", "no", "no", "", "other"}, {"No\041", "No\041", "No\041", "the maybe", "No\041", "yes\056", "the maybe", "Yes", "Yes", "No\041", "the maybe", "No\041", "the maybe", "the maybe", "Yes", "No\041", "no", "No\041", "Yes", "no", "the maybe", "yes\056", "yes\056", "the maybe", "no", "yes\056", "no", "the maybe", "Yes", "the maybe", "No\041", "yes\056", "No\041", "no", "no", "No\041", "No\041", "Yes", "no", "the maybe", "No\041", "No\041", "the maybe", "Yes", "the maybe", "no", "Yes", "the maybe", "no", "yes\056"}, 0.26, 0.2557997557997558},
    {{"Yes", "the maybe", "Yes", "Yes", "yes\056", "No\041", "Yes", "Yes", "no", "Yes", "yes\056", "Yes", "the maybe", "No\041", "Yes", "No\041", "no", "no", "no", "no", "No\041", "no", "yes\056", "No\041", "yes\056", "Yes", "the maybe", "no", "the maybe", "Yes", "yes\056", "yes\056", "yes\056", "Yes", "the maybe", "Yes", "yes\056", "Yes", "yes\056", "no", "No\041", "no", "No\041", "yes\056", "No\041", "the maybe", "No\041", "no", "no", "yes", "yes\056", "other", "no", "yes\056", "no", "no", "the maybe", "", "", "no", "no", "No\041", "no", "the maybe", "yes\056", "No\041", "the maybe", "no", "No\041", "No\041", "the maybe", "yes\056", "the maybe", "No\041", "no", "Yes", "no", "the maybe", "No\041", "No\041", "Yes", "Yes", "No\041", "no", "yes\056", "Yes", "No\041", "Yes", "the maybe", "No\041", "no", "the maybe", "Yes", "the maybe", "yes\056", "No\041", "No\041", "No\041", "Yes", "Yes", "yes\056", "No\041", "No\041", "Yes", "Yes", "No\041", "Yes", "Yes", "Yes", "yes\056", "yes\056", "yes\056", "the maybe", "Yes", "yes\056", "the maybe", "Yes", "the maybe", "yes\056", "no", "no", "Yes", "no", "No\041", "No\041", "no", "No\041", "no", "Yes", "No\041", "no", "No\041", "no", "No\041", "Yes", "Yes", "No\041", "Yes", "", "the maybe", "No\041", "No\041", "no", "Yes", "No\041", "no", "yes\056", "the maybe", "no", "No\041", "No\041", "no", "No\041", "No\041", "Yes", "Yes", "no", "the maybe", "the maybe", "No\041", "yes\056", "yes\056", "no", "the maybe", "the maybe", "other", "Yes", "the maybe", "no", "Yes", "the maybe", "no", "yes\056", "yes\056", "yes\056", "the maybe", "Yes", "No\041", "Yes", "Yes", "Yes", "Yes", "No\041", "No\041", "yes\056", "Yes", "Yes", "yes\056", "yes\056", "No\041", "No\041", "yes\056", "the maybe", "yes\056", "no", "yes\056", "Yes", "no", "No\041", "no"}, {"Yes", "the maybe", "Yes", "Yes", "yes\056", "No\041", "Yes", "Yes", "no", "Yes", "yes\056", "Yes", "the maybe", "No\041", "Yes", "No\041", "no", "no", "no", "no", "No\041", "no", "yes\056", "No\041", "yes\056", "Yes", "the maybe", "no", "the maybe", "Yes", "yes\056", "yes\056", "yes\056", "Yes", "the maybe", "Yes", "yes\056", "Yes", "yes\056", "no", "No\041", "no", "No\041", "yes\056", "No\041", "the maybe", "No\041", "no", "no", "no", "yes\056", "No\041", "no", "yes\056", "no", "no", "the maybe", "Yes", "Yes", "no", "no", "No\041", "no", "the maybe", "yes\056", "No\041", "the maybe", "no", "No\041", "No\041", "the maybe", "yes\056", "the maybe", "No\041", "no", "Yes", "no", "the maybe", "No\041", "No\041", "Yes", "Yes", "No\041", "no", "yes\056", "Yes", "No\041", "Yes", "the maybe", "No\041", "no", "the maybe", "Yes", "the maybe", "yes\056", "No\041", "No\041", "No\041", "Yes", "Yes", "yes\056", "No\041", "No\041", "Yes", "Yes", "No\041", "Yes", "Yes", "Yes", "yes\056", "yes\056", "yes\056", "the maybe", "Yes", "yes\056", "the maybe", "Yes", "the maybe", "yes\056", "no", "no", "Yes", "no", "No\041", "No\041", "no", "No\041", "yes\056", "Yes", "No\041", "no", "No\041", "no", "No\041", "Yes", "Yes", "No\041", "Yes", "yes\056", "the maybe", "No\041", "No\041", "no", "Yes", "No\041", "no", "yes\056", "the maybe", "no", "No\041", "No\041", "no", "No\041", "No\041", "Yes", "Yes", "no", "the maybe", "the maybe", "No\041", "yes\056", "yes\056", "no", "the maybe", "the maybe", "Yes", "Yes", "the maybe", "no", "Yes", "the maybe", "no", "yes\056", "yes\056", "yes\056", "the maybe", "Yes", "No\041", "Yes", "Yes", "Yes", "Yes", "No\041", "No\041", "yes\056", "Yes", "Yes", "yes\056", "yes\056", "No\041", "No\041", "yes\056", "the maybe", "yes\056", "no", "yes\056", "Yes", "no", "No\041", "no"}, 0.965, 0.9821714604081064},
};

}  // namespace twinrun::harness
