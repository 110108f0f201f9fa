"""A step of `numerics: portable` in NumPy: Llama with LoRA, forward and backward, loss, AdamW.

Written from docs/numerics.md alone. Shapes: B rows, T positions, D hidden, H query heads, G key and
value heads, E elements of a head, V vocabulary; I inputs and O outputs of a linear, R rank.
"""

import math

import numpy as np

from portable_arithmetic import F32, F64, Arithmetic, exp, f32, fma, log, rope_table, rsqrt
from portable_random import keep_mask

IGNORE = -100


def transposed(x):
    return np.swapaxes(x, -1, -2)


class Llama(Arithmetic):
    """The model of `config` (a Hugging Face config.json) with float32 `weights` by name.

    adapter   module name -> [A, B] of the target modules
    lora      rank, alpha, dropout, as in the case; `seed` that of dropout
    """

    def __init__(self, config, weights, adapter, lora, seed):
        self.config, self.weights, self.adapter, self.seed = config, weights, adapter, seed
        self.p = lora["dropout"]
        self.scale = f32(lora["alpha"] / lora["rank"])
        self.heads, self.groups = config["num_attention_heads"], config["num_key_value_heads"]
        self.head_dim = config.get("head_dim") or config["hidden_size"] // self.heads
        self.c = f32(1 / math.sqrt(self.head_dim))
        self.eps = f32(config["rms_norm_eps"])
        self.window = config.get("sliding_window")  # None: none
        self.gradients = {}

    # RMSNorm

    def norm(self, name, x):
        """y and what its backward takes."""
        mean = self.lane_sum_of_products(x, x) / F32(x.shape[-1])
        r = rsqrt(mean + self.eps)[..., None]
        return (x * r) * self.weights[name], (name, x, r)

    def norm_backward(self, kept, dy):
        name, x, r = kept
        scaled, xr = dy * self.weights[name], x * r
        m = (self.lane_sum_of_products(scaled, xr) / F32(x.shape[-1]))[..., None]
        return self.minus_product(xr, m, scaled) * r

    def minus_product(self, a, b, c):
        return fma(-a, b, c)

    # Linear with LoRA

    def keep(self, mask, x):
        return np.where(mask, x * f32(1 / (1 - self.p)), F32(0))

    def linear(self, name, x, step, micro_batch):
        """x [B, T, I] -> y [B, T, O], and what its backward takes."""
        y = self.product(x, self.weights[name + ".weight"].T)
        if name not in self.adapter:
            return y, (name, None, None, None)
        mask = None
        dropped = x
        if self.p > 0:
            layer, module = int(name.split(".")[2]), name.split(".")[-1]
            mask = keep_mask(self.seed, self.p, module, layer, x.shape, step, micro_batch)
            dropped = self.keep(mask, x)
        a, b = self.adapter[name]
        h = self.product(dropped, a.T) * self.scale
        return self.low_rank(h, b, y), (name, dropped, mask, h)

    def low_rank(self, h, b, y):
        return self.product(h, b.T, y)

    def linear_backward(self, kept, dy, dx=None):
        """Gradient of the input, on top of `dx` where there is one."""
        name, dropped, mask, h = kept
        dx = self.through_weight(dy, self.weights[name + ".weight"], dx)
        if h is None:
            return dx
        a, b = self.adapter[name]
        dh = self.product(dy, b) * self.scale
        flat_dh, flat_dy = dh.reshape(-1, dh.shape[-1]), dy.reshape(-1, dy.shape[-1])
        self.gradients[name] = [
            self.product(flat_dh.T, dropped.reshape(-1, dropped.shape[-1])),
            self.product(flat_dy.T, h.reshape(-1, h.shape[-1])),
        ]
        if mask is None:
            return self.product(dh, a, dx)
        return dx + self.keep(mask, self.product(dh, a))

    def through_weight(self, dy, w, dx):
        return self.product(dy, w, dx)

    # Attention

    def split(self, x):
        """[B, T, heads E] -> [B, heads, T, E]"""
        return np.swapaxes(x.reshape(*x.shape[:2], -1, self.head_dim), 1, 2)

    def join(self, x):
        return np.swapaxes(x, 1, 2).reshape(x.shape[0], x.shape[2], -1)

    def rope(self, x, sign=1):
        cosines, sines = self.table
        sines = sines * F32(sign)
        half = self.head_dim // 2
        low, high = x[..., :half], x[..., half:]
        return np.concatenate(
            [self.turned(-high, sines, low * cosines), self.turned(low, sines, high * cosines)], -1
        )

    def turned(self, a, b, c):
        return fma(a, b, c)

    def of_query_heads(self, x):
        """Key or value heads [B, G, T, E], each once for every query head of its group."""
        return np.repeat(x, self.heads // self.groups, 1)

    def first_key(self, i):
        """Of query i, within its window."""
        return max(0, i - self.window + 1) if self.window else 0

    def attention(self, q, k, v):
        """q [B, H, T, E], k and v [B, G, T, E] -> o [B, H, T, E], P [B, H, T, T]"""
        length = q.shape[2]
        k, v = self.of_query_heads(k), self.of_query_heads(v)
        s = self.product(q, transposed(k)) * self.c
        seen = np.tri(length, dtype=bool)
        if self.window:
            seen &= ~np.tri(length, k=-self.window, dtype=bool)
        s = np.where(seen, s, F32(-np.inf))
        e = exp(s - s.max(-1, keepdims=True))  # +0 where it sees nothing, which changes no sum
        probabilities = self.quotient(e, self.lane_sum(e)[..., None])
        return self.causal_chain(probabilities, v), probabilities

    def quotient(self, e, total):
        return e / total

    def causal_chain(self, weights, x):
        """Of row i: the chain over the j that it sees, ascending, of weights_ij x_j."""
        out = np.zeros_like(x)
        length = x.shape[2]
        for j in range(length):
            rows = slice(j, min(length, j + self.window) if self.window else length)
            out[:, :, rows] = fma(weights[:, :, rows, j, None], x[:, :, None, j], out[:, :, rows])
        return out

    def group_chain(self, weights, x):
        """Of column j: one chain over the heads of the group and the i that see it."""
        batch, _, length, size = x.shape
        out = np.zeros((batch, self.groups, length, size), F32)
        per_group = self.heads // self.groups
        for h in self.heads_of_group(per_group):
            w, y = weights[:, h::per_group], x[:, h::per_group]
            for i in range(length):
                past = slice(self.first_key(i), i + 1)
                out[:, :, past] = fma(w[:, :, i, past, None], y[:, :, None, i], out[:, :, past])
        return out

    def heads_of_group(self, count):
        return range(count)

    def attention_backward(self, q, k, v, o, probabilities, do):
        keys, values = self.of_query_heads(k), self.of_query_heads(v)
        d = self.lane_sum_of_products(do, o)[..., None]
        dp = self.product(do, transposed(values))
        ds = (probabilities * (dp - d)) * self.c
        return (
            self.causal_chain(ds, keys),
            self.group_chain(ds, q),
            self.group_chain(probabilities, do),
        )

    # Blocks

    def block(self, layer, x, at):
        prefix = f"model.layers.{layer}."
        attn, mlp = prefix + "self_attn.", prefix + "mlp."
        kept = {}

        def linear(name, x):
            y, kept[name.split(".")[-1]] = self.linear(name, x, *at)
            return y

        normed, kept["norm1"] = self.norm(prefix + "input_layernorm.weight", x)
        q = self.rope(self.split(linear(attn + "q_proj", normed)))
        k = self.rope(self.split(linear(attn + "k_proj", normed)))
        v = self.split(linear(attn + "v_proj", normed))
        o, probabilities = self.attention(q, k, v)
        kept["attention"] = (q, k, v, o, probabilities)
        x = x + linear(attn + "o_proj", self.join(o))
        normed, kept["norm2"] = self.norm(prefix + "post_attention_layernorm.weight", x)
        gate, up = linear(mlp + "gate_proj", normed), linear(mlp + "up_proj", normed)
        g = F32(1) / (F32(1) + exp(-gate))
        kept["swiglu"] = (gate, up, g)
        return x + linear(mlp + "down_proj", (gate * g) * up), kept

    def block_backward(self, kept, dx):
        dy = self.linear_backward(kept["down_proj"], dx)
        gate, up, g = kept["swiglu"]
        dgate = (dy * up) * self.slope(gate, g)
        dup = dy * (gate * g)
        dn = self.linear_backward(kept["gate_proj"], dgate)
        dn = self.linear_backward(kept["up_proj"], dup, dn)
        dx = dx + self.norm_backward(kept["norm2"], dn)
        do = self.split(self.linear_backward(kept["o_proj"], dx))
        dq, dk, dv = self.attention_backward(*kept["attention"], do)
        gradients = {"q_proj": self.rope(dq, -1), "k_proj": self.rope(dk, -1), "v_proj": dv}
        dn = None
        for name in self.fan_in():
            dn = self.linear_backward(kept[name], self.join(gradients[name]), dn)
        return dx + self.norm_backward(kept["norm1"], dn)

    def slope(self, gate, g):
        return g * fma(gate, F32(1) - g, F32(1))

    def fan_in(self):
        return ("q_proj", "k_proj", "v_proj")

    # A micro-batch

    def micro_batch(self, batch, at, labelled_of_step):
        """Loss sum of a micro-batch; `gradients` then holds its [dA, dB] by module name.

        batch   input_ids, labels: [B, T];   at   (step, micro-batch)
        """
        self.gradients = {}
        ids, labels = batch["input_ids"], batch["labels"]
        self.table = rope_table(self.theta(), self.head_dim, ids.shape[1], self.scaling())
        x = self.weights["model.embed_tokens.weight"][ids]
        kept = []
        for layer in range(self.config["num_hidden_layers"]):
            x, of_layer = self.block(layer, x, at)
            kept.append(of_layer)
        hidden, norm = self.norm("model.norm.weight", x)
        predicted = np.full_like(labels, IGNORE)
        predicted[:, :-1] = labels[:, 1:]
        loss, d_hidden = self.loss(hidden, predicted, labelled_of_step)
        dx = self.norm_backward(norm, d_hidden)
        for of_layer in reversed(kept):
            dx = self.block_backward(of_layer, dx)
        return loss, self.gradients

    def theta(self):
        return (self.config.get("rope_parameters") or self.config)["rope_theta"]

    def scaling(self):
        rope = self.config.get("rope_parameters") or self.config.get("rope_scaling") or {}
        return rope if rope.get("rope_type") == "llama3" else None

    def loss(self, hidden, predicted, labelled_of_step):
        tied = "lm_head.weight" not in self.weights
        w = self.weights["model.embed_tokens.weight" if tied else "lm_head.weight"]
        labelled = predicted != IGNORE
        rows, targets = np.arange(labelled.sum()), predicted[labelled]
        z = self.product(hidden[labelled], w.T)
        shifted = z - z.max(-1, keepdims=True)
        e = exp(shifted)
        t = self.lane_sum(e)
        losses = log(t) - shifted[rows, targets]
        p = e / t[:, None]
        p[rows, targets] = p[rows, targets] - F32(1)
        d_hidden = np.zeros_like(hidden)
        d_hidden[labelled] = self.chained(p * f32(1 / labelled_of_step), w)
        return self.lane_sum(losses), d_hidden


class Training:
    """The steps of a run: `step` returns what a record says of one."""

    def __init__(self, model, train):
        self.model, self.train = model, train
        self.moments = {
            name: [(np.zeros_like(w), np.zeros_like(w)) for w in pair]
            for name, pair in model.adapter.items()
        }
        self.powers = [1.0, 1.0]

    def step(self, number, batches, lr):
        """(loss, gradients, gradient norm); adapter and moments are those after it."""
        model = self.model
        counts = [int((batch["labels"][:, 1:] != IGNORE).sum()) for batch in batches]
        results = [
            model.micro_batch(batch, (number, i), sum(counts)) for i, batch in enumerate(batches)
        ]
        loss, gradients = results[0]
        for part, others in self.later(results):
            loss = loss + part
            gradients = {
                name: [one + other for one, other in zip(pair, others[name])]
                for name, pair in gradients.items()
            }
        # In drawing order; the backward went the other way.
        gradients = {name: gradients[name] for name in model.adapter}
        norm = self.gradient_norm(gradients)
        self.update(gradients, norm, lr)
        return loss / F32(sum(counts)), gradients, norm

    def later(self, results):
        return results[1:]

    def gradient_norm(self, gradients):
        flat = []
        for pair in gradients.values():
            for g in pair:
                flat += [g.ravel(), np.zeros(-g.size % 16, F32)]
        return f32(math.sqrt(self.sum_of_squares(np.concatenate(flat))))

    def sum_of_squares(self, flat):
        blocks = [flat[i : i + 4096] for i in range(0, flat.size, 4096)]
        sums = [self.model.lane_sum_of_squares(block) for block in blocks]
        return self.model.lane_sum(np.array(sums, F64))

    def clip_factor(self, norm):
        return min(F32(1), f32(self.train["max_grad_norm"]) / (norm + f32(1e-6)))

    def update(self, gradients, norm, lr):
        rates = self.train["optimizer"]
        factor = self.clip_factor(norm)
        self.powers[0] *= rates["beta1"]
        self.powers[1] *= rates["beta2"]
        for name, pair in gradients.items():
            for i, g in enumerate(pair):
                moments = self.moments[name][i]
                w, moments = self.adamw(
                    self.model.adapter[name][i], g * factor, *moments, rates, lr
                )
                self.model.adapter[name][i], self.moments[name][i] = w, moments

    def adamw(self, w, g, m, v, rates, lr):
        beta1, beta2 = rates["beta1"], rates["beta2"]
        m = self.first_moment(m, g, beta1)
        v = self.second_moment(v, g, beta2)
        d = np.sqrt(v) / f32(math.sqrt(1 - self.powers[1])) + f32(rates["eps"])
        shrunk = w * f32(1 - lr * rates["weight_decay"])
        return fma(m / d, f32(-lr / (1 - self.powers[0])), shrunk), (m, v)

    def first_moment(self, m, g, beta1):
        return fma(g - m, f32(1 - beta1), m)

    def second_moment(self, v, g, beta2):
        return fma(f32(1 - beta2) * g, g, f32(beta2) * v)
