"""Whatever docs/numerics.md draws, in NumPy: Philox, data, masks, initial weights, schedule.

Written from the document alone.
"""

import math

import numpy as np

from portable_arithmetic import F32, f32, fma

STREAMS = {"dropout": 1, "shuffle": 2, "model": 3, "synthetic": 4}
MODULES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
WORD = (1 << 32) - 1


def philox(counter, seed):
    """Philox4x32-10 of counter words (arrays that broadcast); returns words [..., 4], uint64."""
    c0, c1, c2, c3 = np.broadcast_arrays(*(np.asarray(word, np.uint64) for word in counter))
    k0, k1 = seed & WORD, seed >> 32
    low, shift = np.uint64(WORD), np.uint64(32)
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c1 = (p1 >> shift) ^ c1 ^ np.uint64(k0), p1 & low
        c2, c3 = (p0 >> shift) ^ c3 ^ np.uint64(k1), p0 & low
        k0, k1 = (k0 + 0x9E3779B9) & WORD, (k1 + 0xBB67AE85) & WORD
    return np.stack([c0, c1, c2, c3], -1)


def words(stream, index, count, seed):
    """The first `count` words of a stream whose blocks are numbered in words 2 and 3."""
    blocks = np.arange(-(-count // 4), dtype=np.uint64)
    high = blocks >> np.uint64(32)
    return philox((STREAMS[stream], index, blocks & np.uint64(WORD), high), seed).ravel()[:count]


def numbers_below(stream, index, seed):
    """A function that draws the next number below its argument."""

    def endless():
        block = 0
        while True:
            yield from map(int, philox((STREAMS[stream], index, block & WORD, block >> 32), seed))
            block += 1

    source = endless()

    def below(bound):
        while True:
            product = next(source) * bound
            if product & WORD >= 2**32 % bound:
                return product >> 32

    return below


def keep_mask(seed, p, module, layer, shape, step, micro_batch):
    """Which elements of a module's input [B, T, I] dropout keeps."""
    blocks = np.arange(-(-math.prod(shape) // 4))
    word0 = STREAMS["dropout"] + 2**8 * MODULES.index(module) + 2**12 * layer
    draws = philox((word0, blocks, step, micro_batch), seed).ravel()[: math.prod(shape)]
    return (draws >= min(math.floor(p * 2**32 + 0.5), WORD)).reshape(shape)


def epoch_order(samples, seed, epoch):
    below = numbers_below("shuffle", epoch, seed)
    order = list(range(samples))
    for k in range(samples, 1, -1):
        other = below(k)
        order[k - 1], order[other] = order[other], order[k - 1]
    return order


def synthetic_data(samples, length, vocab_size, seed):
    """Sample id -> (token ids, labels)."""
    data = {}
    for j in range(samples):
        below = numbers_below("synthetic", j, seed)
        ids = [below(vocab_size) for _ in range(length)]
        data[j] = (ids, ids)
    return data


def random_weights(shapes, seed):
    """Weights of `init: random`; `shapes` by name."""
    weights = {}
    for number, name in enumerate(sorted(shapes, key=str.encode)):
        shape = shapes[name]
        if len(shape) == 1:
            weights[name] = np.ones(shape, F32)
            continue
        r = words("model", number, math.prod(shape), seed).astype(np.uint32).view(np.int32)
        scale = f32(0.0346410162 * 2.0**-23)
        weights[name] = ((r >> 8).astype(F32) * scale).reshape(shape)
    return weights


def initial_adapter(shapes, rank, seed):
    """(A, B) of each target module; `shapes`: its weight's [O, I], in the order of the model."""
    generator = np.random.MT19937()
    generator._legacy_seeding(seed & WORD)  # MT19937's own initialisation, as PyTorch's
    adapter = {}
    for name, (outputs, inputs) in shapes.items():
        generator.random_raw(rank * inputs)
        generator.random_raw(outputs * rank)
        u = (generator.random_raw(rank * inputs) % 2**24).astype(F32) * F32(2.0**-24)
        bound = math.sqrt(3) * (
            math.sqrt(2 / (1 + math.sqrt(5) * math.sqrt(5))) / math.sqrt(inputs)
        )
        a = fma(u, f32(bound) - f32(-bound), f32(-bound)).reshape(rank, inputs)
        adapter[name] = (a, np.zeros((outputs, rank), F32))
    return adapter


def taylor(z, factorials):
    """The terms +-1 / n! of sine or cosine by Horner in z, n in `factorials`, descending."""
    total = 0.0
    for n in factorials:
        total = total * z + (-1) ** (n // 2) / math.factorial(n)
    return total


def schedule_sin_near_zero(x, low):
    z = x * x
    return x + (x * z * taylor(z, range(17, 2, -2)) + low * (1 - 0.5 * z))


def schedule_cos_near_zero(x, low):
    z = x * x
    head = 1 - 0.5 * z
    return head + (((1 - head) - 0.5 * z) + (z * z * taylor(z, range(18, 3, -2)) - x * low))


def schedule_cos(x):
    """The cosine of the schedule for 0 <= x <= pi."""
    pi_low = 1.2246467991473532e-16

    def to(part):
        exact = part * math.pi - x
        high = exact + part * pi_low
        return high, (exact - high) + part * pi_low

    if x <= 0.25 * math.pi:
        return schedule_cos_near_zero(x, 0.0)
    if x <= 0.75 * math.pi:
        return schedule_sin_near_zero(*to(0.5))
    return -schedule_cos_near_zero(*to(1.0))


def learning_rate(schedule, base, step, steps):
    """Of step 1, 2, ..., in float64."""
    warmup, done = schedule["warmup_steps"], step - 1
    if done < warmup:
        return base * (done / warmup)
    if schedule["name"] == "constant":
        return base
    rest = max(1, steps - warmup)
    if schedule["name"] == "linear":
        return base * max(0.0, (steps - done) / rest)
    return base * max(0.0, 0.5 * (1 + schedule_cos(math.pi * ((done - warmup) / rest))))
