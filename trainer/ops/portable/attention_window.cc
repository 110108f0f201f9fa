// Attention with a window w over T > w positions. Query i sees the keys i - w + 1 .. i, so in a
// block of b queries the visible part of the scores is a parallelogram. Its product with the values
// is three products whose chains continue each other: the triangle of keys that leave the window
// within the block, the keys that all its queries see, and the triangle of the block's own keys.
// The chain of a query so has its visible keys and no other, in ascending order.

#include "trainer/ops/portable/attention_parts.h"

namespace twinrun::trainer::portable {
namespace {

constexpr std::int64_t kBlockQueries = 256;

/// Queries first .. first + queries - 1 of a window. Columns of their scores: `left` keys that
/// leave the window one a query, `shared` keys that all see, then the keys of the queries' own
/// positions.
struct Band {
  std::int64_t first = 0, queries = 0;
  std::int64_t left = 0, shared = 0;
  std::int64_t ld = 0, item = 0;  ///< floats from query to query, and from head to head

  std::int64_t first_key() const { return first - shared - left; }
  std::int64_t keys() const { return left + shared + queries; }
};

/// The first `window` queries see all keys before them; of the others a block has at most
/// `window` queries, so that its last one still sees the key of its first.
std::vector<Band> bands(std::int64_t length, std::int64_t window) {
  std::vector<Band> result{{.first = 0, .queries = std::min(window, length)}};
  for (std::int64_t first = window; first < length;) {
    const auto queries = std::min({window, kBlockQueries, length - first});
    result.push_back(
        {.first = first, .queries = queries, .left = queries - 1, .shared = window - queries});
    first += queries;
  }
  for (auto& band : result) {
    band.ld = score_stride(band.keys());
    // Behind the first one, query r sees columns r .. r + window - 1: rows of ld + 1 floats whose
    // first `window` count.
    band.item = band.queries * (band.first == 0 ? band.ld : band.ld + 1);
  }
  return result;
}

/// What the steps below have in common. `group` query heads belong to a key/value head.
struct BandWork {
  Backend& device;
  Part part;
  std::int64_t group = 0, window = 0;
  Band band;

  std::int64_t items() const { return part.rows * part.kvs * group; }
};

/// scores = x y^T of a band's queries x and keys y.
void band_scores(const BandWork& w, const Heads& x, const Heads& y, float* scores) {
  const auto& band = w.band;
  const auto keys = positions_of(y, band.first_key(), band.keys());
  Gemm g{.m = band.queries, .n = band.keys(), .k = x.size};
  g.a = at_part(positions_of(x, band.first, band.queries), w.part, w.group);
  g.a_row = x.position_stride;
  g.b = at_part(keys, w.part, 1);
  g.b_k = 1;
  g.b_col = y.position_stride;
  g.c = scores;
  g.c_row = band.ld;
  g.range = band.first == 0 ? KRange::kOutLower : KRange::kAll;
  w.device.gemm(g, {.outer = w.part.rows,
                    .inner = w.part.kvs * w.group,
                    .a_outer = x.row_stride,
                    .a_inner = x.head_stride,
                    .b_outer = y.row_stride,
                    .b_inner = y.head_stride,
                    .c_outer = w.part.kvs * w.group * band.item,
                    .c_inner = band.item,
                    .b_group = w.group});
}

void band_probabilities(const BandWork& w, const Heads& q, const Heads& k, float* scores) {
  band_scores(w, q, k, scores);
  const auto& band = w.band;
  const auto scale = softmax_scale(q.size);
  if (band.first == 0) {
    w.device.softmax(scores, scale, w.items(), band.queries, band.ld);
  } else {
    w.device.softmax_rows(scores, scale, w.items() * band.queries, w.window, band.ld + 1);
  }
}

/// dp becomes ds.
void band_softmax_backward(const BandWork& w, const float* p, float* dp, const float* delta,
                           std::int64_t size) {
  const auto& band = w.band;
  const auto scale = softmax_scale(size);
  if (band.first == 0) {
    w.device.softmax_backward(p, dp, delta, scale, w.items(), band.queries, band.ld);
  } else {
    w.device.softmax_backward_rows(p, dp, delta, scale, w.items() * band.queries, w.window,
                                   band.ld + 1);
  }
}

/// One of the three products: `queries` of the band from its first on, keys from column `column`.
struct Piece {
  std::int64_t column = 0, queries = 0, keys = 0;
  KRange over_keys = KRange::kAll;     ///< of a query, in sum_over_keys
  KRange over_queries = KRange::kAll;  ///< of a key, in sum_over_queries
};

/// Keys ascending.
std::vector<Piece> pieces(const Band& band) {
  std::vector<Piece> result;
  if (band.left > 0) result.push_back({0, band.left, band.left, KRange::kFrom, KRange::kUpTo});
  if (band.shared > 0) result.push_back({band.left, band.queries, band.shared});
  result.push_back(
      {band.left + band.shared, band.queries, band.queries, KRange::kUpTo, KRange::kFrom});
  return result;
}

/// out += scores y: of each query, over its keys.
void sum_over_keys(const BandWork& w, const float* scores, const Heads& y, const Heads& out) {
  const auto& band = w.band;
  for (const auto& piece : pieces(band)) {
    Gemm g{.m = piece.queries, .n = y.size, .k = piece.keys, .a = scores + piece.column};
    g.a_row = band.ld;
    g.b = at_part(positions_of(y, band.first_key() + piece.column, piece.keys), w.part, 1);
    g.b_k = y.position_stride;
    g.c = at_part(positions_of(out, band.first, piece.queries), w.part, w.group);
    g.c_row = out.position_stride;
    g.accumulate = true;
    g.range = piece.over_keys;
    w.device.gemm(g, {.outer = w.part.rows,
                      .inner = w.part.kvs * w.group,
                      .a_outer = w.part.kvs * w.group * band.item,
                      .a_inner = band.item,
                      .b_outer = y.row_stride,
                      .b_inner = y.head_stride,
                      .c_outer = out.row_stride,
                      .c_inner = out.head_stride,
                      .b_group = w.group});
  }
}

/// out += scores^T x: of each key, over the queries of the band that see it.
/// REQUIRES: one query head a key/value head.
void sum_over_queries(const BandWork& w, const float* scores, const Heads& x, const Heads& out) {
  const auto& band = w.band;
  for (const auto& piece : pieces(band)) {
    Gemm g{.m = piece.keys, .n = x.size, .k = piece.queries, .a = scores + piece.column};
    g.a_row = 1;
    g.a_k = band.ld;
    g.b = at_part(positions_of(x, band.first, piece.queries), w.part, 1);
    g.b_k = x.position_stride;
    g.c = at_part(positions_of(out, band.first_key() + piece.column, piece.keys), w.part, 1);
    g.c_row = out.position_stride;
    g.accumulate = true;
    g.range = piece.over_queries;
    w.device.gemm(g, {.outer = w.part.rows,
                      .inner = w.part.kvs,
                      .a_outer = w.part.kvs * band.item,
                      .a_inner = band.item,
                      .b_outer = x.row_stride,
                      .b_inner = x.head_stride,
                      .c_outer = out.row_stride,
                      .c_inner = out.head_stride});
  }
}

/// Of every group of `group` heads the one at `index`.
Heads head_of_groups(const Heads& x, std::int64_t group, std::int64_t index) {
  auto cut = x;
  cut.data = x.data + index * x.head_stride;
  cut.heads = x.heads / group;
  cut.head_stride = group * x.head_stride;
  return cut;
}

template <typename Step>
void for_bands(Backend& device, const Heads& k, std::int64_t group, std::int64_t window,
               Step step) {
  for (const auto& band : bands(k.length, window)) {
    for_parts(k.rows, k.heads, group * band.item, [&](const Part& part) {
      step(BandWork{device, part, group, window, band});
    });
  }
}

at::Tensor floats(std::int64_t count, const at::Tensor& like) {
  return at::empty({count}, like.options());
}

}  // namespace

void window_attention(Backend& device, const Heads& q, const Heads& k, const Heads& v,
                      const Heads& o, std::int64_t window, const at::Tensor& like) {
  for_bands(device, k, q.heads / k.heads, window, [&](const BandWork& w) {
    const auto scores = floats(w.items() * w.band.item, like);
    band_probabilities(w, q, k, out(scores));
    sum_over_keys(w, in(scores), v, o);
  });
}

void window_attention_backward(Backend& device, const Heads& dout, const Heads& q, const Heads& k,
                               const Heads& v, const Heads& o, const HeadGrads& grads,
                               std::int64_t window, const at::Tensor& like) {
  // Keys and values have one chain over the heads of a group, and within a head over its queries.
  const auto group = q.heads / k.heads;
  for (std::int64_t head = 0; head < group; ++head) {
    const auto of_head = [&](const Heads& x) { return head_of_groups(x, group, head); };
    const auto q1 = of_head(q), dout1 = of_head(dout), o1 = of_head(o), dq1 = of_head(grads.dq);
    for_bands(device, k, 1, window, [&](const BandWork& w) {
      const auto p = floats(w.items() * w.band.item, like), ds = at::empty_like(p);
      const auto delta = floats(w.items() * w.band.queries, like);
      const auto of_band = [&](const Heads& x) {
        return part_of(positions_of(x, w.band.first, w.band.queries), w.part, 1);
      };
      band_probabilities(w, q1, k, out(p));
      device.head_dots(of_band(dout1), of_band(o1), out(delta));
      sum_over_queries(w, in(p), dout1, grads.dv);
      band_scores(w, dout1, v, out(ds));
      band_softmax_backward(w, in(p), out(ds), in(delta), q.size);
      sum_over_queries(w, in(ds), q1, grads.dk);
      sum_over_keys(w, in(ds), k, dq1);
    });
  }
}

}  // namespace twinrun::trainer::portable
