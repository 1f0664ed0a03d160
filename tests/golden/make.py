"""Make the golden files: the first draws of each kind, by calling MKL's VSL through ctypes, or NumPy's bit generators.

What MKL makes of its bits depends on the processor, but not on the code path chosen here, which all processors have.

It shares no code with rxspark: what the package says about its streams (`rxspark.rng.kinds`) is written here a second
time. Run it as ``python tests/golden/make.py``; the files stand beside it.
"""

import ctypes
import glob
import hashlib
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
SMALL, LARGE = 777, 2**40 + 777  # an MKL seed, and one that is hashed
DRAWS = 6
SHIFT = 20  # mkl_vsl_defines.h: VSL_BRNG_SHIFT
BRNG = {
    "MCG31": 1,
    "R250": 2,
    "MRG32K3A": 3,
    "MCG59": 4,
    "SOBOL": 6,
    "NIEDERR": 7,
    "MT19937": 8,
    "MT2203": 9,
    "SFMT19937": 13,
    "ARS5": 15,
    "PHILOX4X32X10": 16,
}
BLOCKS = {"MCG31": 1_048_583, "MCG59": 42_470_972_311, "MRG32K3A": 2**42, "ARS5": 2**42, "PHILOX4X32X10": 2**42}
DISTRIBUTIONS = {
    "standard_normal": (),
    "lognormal": (0.1, 0.7),
    "exponential": (2.1,),
    "gamma": (2.5, 1.3),
    "beta": (2.5, 1.3),
    "chisquare": (3.3,),
    "laplace": (1.7, 2.0),
    "rayleigh": (1.7,),
    "standard_cauchy": (),
}
LAST = {
    "MCG31": 1022,
    "R250": 2**32 - 1,
    "MRG32K3A": 2**21 - 1,
    "MCG59": 2**20 - 1,
    "SOBOL": 4094,
    "NIEDERR": 4094,
    "MT19937": 2**32 - 1,
    "MT2203": 6024 * 2**32 - 1,
    "SFMT19937": 2**32 - 1,
    "ARS5": 2**21 - 1,
    "PHILOX4X32X10": 2**21 - 1,
    "PHILOX": 2**63 - 1,
    "PCG64DXSM": 2**32 - 1,
}


def load():
    """MKL, and its version."""
    mkl = ctypes.CDLL(sorted(glob.glob(f"{sys.prefix}/lib/libmkl_rt.so*"))[-1])
    text = ctypes.create_string_buffer(200)
    assert mkl.MKL_CBWR_Set(3) == 0  # mkl_types.h: MKL_CBWR_COMPATIBLE
    mkl.mkl_get_version_string(text, 200)
    return mkl, text.value.decode().split(" for ")[0].strip()


def words(kind, seed, stream, count):
    """The seed vector of a hashed seed or stream."""
    digest = hashlib.shake_128(f"rxspark stream {kind} {seed} {stream}".encode()).digest(4 * count)
    vector = [int.from_bytes(digest[i : i + 4], "little") for i in range(0, 4 * count, 4)]
    vector[0] |= 1
    return vector


def vsl(mkl, kind, seed, stream):
    """The first uniform doubles of a stream, by VSL alone."""
    brng, vector, skip = BRNG[kind] << SHIFT, [seed], 0
    hashed = seed >= 2**32
    if kind in ("SOBOL", "NIEDERR"):
        vector, skip, hashed = [1], stream * 2**20, False  # the dimension in the seed's place
    elif kind == "MT2203":
        brng, skip = brng + stream % 6024, 4096 if stream else 0
        hashed = hashed or stream >= 6024
    elif kind in BLOCKS:
        skip = stream * BLOCKS[kind]
    elif stream:
        hashed = True
    if hashed:
        number = 0 if kind in BLOCKS else stream // 6024 if kind == "MT2203" else stream
        vector = words(kind, seed, number, 250 if kind == "R250" else 6)
    handle, out = ctypes.c_void_p(), np.empty(DRAWS)
    array = (ctypes.c_uint32 * len(vector))(*vector)
    assert mkl.vslNewStreamEx(ctypes.byref(handle), brng, len(vector), array) == 0
    assert skip == 0 or mkl.vslSkipAheadStream(handle, ctypes.c_longlong(skip)) == 0
    where = out.ctypes.data_as(ctypes.c_void_p)
    assert mkl.vdRngUniform(0, handle, DRAWS, where, ctypes.c_double(0), ctypes.c_double(1)) == 0
    mkl.vslDeleteStream(ctypes.byref(handle))
    return out


def values(kind):
    """The first values of distributions that mkl_random makes of stream 0, by the names of its functions."""
    import mkl_random  # after MKL's code path was chosen

    drawn = {}
    for name, parameters in DISTRIBUTIONS.items():
        state = mkl_random.MKLRandomState(SMALL, brng=kind)
        drawn[name] = getattr(state, name)(*parameters, DRAWS)
    return drawn


def numpy_draws(kind, seed, stream):
    """The first doubles of a jumped NumPy bit generator."""
    bits = {"PHILOX": np.random.Philox, "PCG64DXSM": np.random.PCG64DXSM}[kind](seed)
    return np.random.Generator(bits.jumped(stream)).random(DRAWS)


def main():
    """Write one file a kind: seed, stream, draws; and one of distributions: kind, function, values."""
    mkl, version = load()
    for kind, last in LAST.items():
        source = f"NumPy {np.__version__}" if kind not in BRNG else version
        lines = [f"# {kind}: seed, stream, {DRAWS} uniform draws; made by {source}"]
        for seed in (SMALL, LARGE):
            for stream in (0, 1, last):
                draws = vsl(mkl, kind, seed, stream) if kind in BRNG else numpy_draws(kind, seed, stream)
                lines.append(",".join([str(seed), str(stream), *map(repr, draws.tolist())]))
        (HERE / f"{kind}.csv").write_text("\n".join(lines) + "\n")
    lines = [f"# kind, function, {DRAWS} values of stream 0 of seed {SMALL}; made by mkl_random, {version}"]
    for kind in BRNG.keys() - {"SOBOL", "NIEDERR"}:
        lines += [",".join([kind, name, *map(repr, drawn.tolist())]) for name, drawn in values(kind).items()]
    (HERE / "distributions.csv").write_text("\n".join([lines[0], *sorted(lines[1:])]) + "\n")


if __name__ == "__main__":
    main()
