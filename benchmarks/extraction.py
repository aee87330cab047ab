"""From files to means of 40 MFCCs, on one thread."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
import soundfile
import soxr
from scipy.fft import rfft

from .data import ogg_clips, tiled, wav_clips, wav_clips_16_bit
from .lab import Contender, Options, race
from .report import Goal, Section, comparison, digits, ratio, table
from .rivals import librosa_means

SR, N_FFT, HOP = 22050, 2048, 512
Work = Callable[[], dict]


def wav(quick: bool) -> list[str]:
    return tiled(wav_clips(), 15 if quick else 300)


def wav_16_bit(quick: bool) -> list[str]:
    return tiled(wav_clips_16_bit(), 14 if quick else 294)


def ogg(quick: bool) -> list[str]:
    return ogg_clips()[0][:: 40 if quick else 4]


def ours(clips: Callable[[bool], list[str]], quick: bool, n_jobs: int | None = None) -> Work:
    from soundclf import MFCCMeanTransformer

    paths, transformer = clips(quick), MFCCMeanTransformer(n_mfcc=40, n_jobs=n_jobs)

    def work() -> dict:
        transformer.transform(paths)
        return {"n": len(paths)}

    return work


def two_processes(quick: bool) -> Work:
    """Run two processes of one thread each at a time: what the machine gives at most."""
    pair = [Contender("extraction", "soundclf", quick=quick, one_thread=True) for _ in range(2)]

    def work() -> dict:
        for contender in pair:
            contender.ask()
        return {"n": sum(contender.answer()["n"] for contender in pair)}

    return work


def loop(function: Callable[[str], object], clips: Callable[[bool], list[str]], quick: bool) -> Work:
    paths = clips(quick)

    def work() -> dict:
        for path in paths:
            function(path)
        return {"n": len(paths)}

    return work


def samples_of(path: str) -> np.ndarray:
    samples, sr = soundfile.read(path, dtype="float32", always_2d=True)
    return soxr.resample(samples.mean(axis=1), sr, SR)


def kaldi(quick: bool) -> Work:
    import kaldi_native_fbank

    options = kaldi_native_fbank.MfccOptions()
    options.frame_opts.samp_freq = SR
    options.frame_opts.frame_length_ms = 1000 * (N_FFT + 0.5) / SR  # it rounds down
    options.frame_opts.frame_shift_ms = 1000 * (HOP + 0.5) / SR
    options.frame_opts.dither = 0
    options.frame_opts.preemph_coeff = 0
    options.frame_opts.remove_dc_offset = False
    options.frame_opts.window_type = "hann"
    options.frame_opts.snip_edges = False
    options.mel_opts.num_bins = 128
    options.mel_opts.low_freq = 0
    options.mel_opts.is_librosa = True
    options.num_ceps = 40
    options.use_energy = False
    options.cepstral_lifter = 0

    def means(path: str) -> np.ndarray:
        mfcc = kaldi_native_fbank.OnlineMfcc(options)
        mfcc.accept_waveform(SR, samples_of(path))
        mfcc.input_finished()
        return np.mean([mfcc.get_frame(i) for i in range(mfcc.num_frames_ready)], axis=0)

    return loop(means, wav, quick)


def audioflux(quick: bool) -> Work:
    import audioflux
    from audioflux.type import SpectralDataType, SpectralFilterBankNormalType, SpectralFilterBankScaleType

    bands = audioflux.BFT(
        num=128,
        radix2_exp=11,
        samplate=SR,
        slide_length=HOP,
        scale_type=SpectralFilterBankScaleType.MEL,
        normal_type=SpectralFilterBankNormalType.AREA,
        data_type=SpectralDataType.POWER,
    )
    cepstrum = audioflux.XXCC(num=128)

    def means(path: str) -> np.ndarray:
        y = samples_of(path)
        y = np.pad(y, (0, max(0, N_FFT - len(y))))  # it has no frames beyond the ends of a clip
        mel = bands.bft(y)
        cepstrum.set_time_length(time_length=mel.shape[-1])
        return cepstrum.xxcc(mel, cc_num=40).mean(axis=1)

    return loop(means, wav, quick)


def make_frame_batches(y: np.ndarray) -> Iterator[np.ndarray]:
    """Yield copies of a clip's centered frames in batches of 32."""
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(y, N_FFT // 2), N_FFT)[::HOP]
    for start in range(0, len(frames), 32):
        yield frames[start : start + 32].copy()


def bare_parts(quick: bool) -> Work:
    """Decode, resample and transform, with nothing in between: each part has its input ready in memory."""
    paths = wav_16_bit(quick)
    decoded = {path: soundfile.read(path, dtype="float32", always_2d=True) for path in set(paths)}
    mono = {path: (samples.mean(axis=1), sr) for path, (samples, sr) in decoded.items()}
    batches = {path: list(make_frame_batches(soxr.resample(y, sr, SR))) for path, (y, sr) in mono.items()}

    def work() -> dict:
        times = [time.perf_counter()]
        for path in paths:
            soundfile.read(path, dtype="int16")
        times.append(time.perf_counter())
        for path in paths:
            soxr.resample(*mono[path], SR)
        times.append(time.perf_counter())
        for path in paths:
            for frames in batches[path]:
                rfft(frames, axis=1)
        times.append(time.perf_counter())
        return {"n": len(paths), "parts": np.diff(times).tolist()}

    return work


ONE, TWO, PROCESSES = "soundclf", "soundclf, 2 threads", "soundclf, 2 processes at once"
CONTENDERS: dict[str, Callable[[bool], Work]] = {
    ONE: partial(ours, wav),
    TWO: partial(ours, wav, n_jobs=2),
    PROCESSES: two_processes,
    "tutorial": partial(loop, partial(librosa_means, res_type="kaiser_fast"), wav),
    "librosa": partial(loop, librosa_means, wav),
    "kaldi-native-fbank": kaldi,
    "audioflux": audioflux,
    "soundclf (16 bit)": partial(ours, wav_16_bit),
    "bare parts": bare_parts,
    "soundclf (Ogg)": partial(ours, ogg),
    "librosa (Ogg)": partial(loop, librosa_means, ogg),
    "decode alone (Ogg)": partial(loop, partial(soundfile.read, dtype="float32"), ogg),
}


def run(options: Options) -> list[Section]:
    answers = race(
        "extraction", [name for name in CONTENDERS if name not in (TWO, PROCESSES)], options, one_thread=True
    )
    ms = {name: [1000 * run["seconds"] / run["n"] for run in runs] for name, runs in answers.items()}
    for i, part in enumerate(("limit: decode alone", "limit: resample alone", "limit: FFT alone")):
        ms[part] = [1000 * run["parts"][i] / run["n"] for run in answers["bare parts"]]
    wavs = [name for name in answers if "16 bit" not in name and "Ogg" not in name and name != "bare parts"]
    bits = ["soundclf (16 bit)", "bare parts", *(name for name in ms if name.startswith("limit"))]
    oggs = [name for name in ms if "Ogg" in name]
    n_wav, n_bits, n_ogg = (answers[name][0]["n"] for name in ("soundclf", "soundclf (16 bit)", "soundclf (Ogg)"))
    section = Section(
        "Extraction",
        [
            f"**WAV.** {n_wav} clips, the {len(wav_clips())} of UrbanSound8K again and again (0.2 to 4 s, stereo), "
            "from path to mean MFCCs; wall time per clip, one thread. `tutorial` loads "
            'with `res_type="kaiser_fast"`, `librosa` with librosa\'s default; both loop over the files. '
            "`kaldi-native-fbank` and `audioflux` get samples decoded by soundfile and resampled by soxr HQ; they "
            "compute 40 MFCCs of 128 bands on frames of 2048 and 512 samples, but by definitions of their own: their "
            "numbers differ from librosa's.",
            comparison({name: ms[name] for name in wavs}, "ms per clip"),
            f"**WAV, 16 bit.** {n_bits} clips: those of 16-bit PCM. `bare parts` reads the files as int16, resamples "
            "mono float32 samples from memory (soxr HQ) and transforms float32 frames from memory in batches of 32 "
            "(`scipy.fft.rfft`), each for all clips; the limits are its three parts.",
            comparison({name: ms[name] for name in bits}, "ms per clip", "soundclf (16 bit)"),
            f"**Ogg Vorbis.** {n_ogg} clips of ESC-10, 5 s each, mono.",
            comparison({name: ms[name] for name in oggs}, "ms per clip", "soundclf (Ogg)"),
        ],
        [
            Goal("extraction: times as fast as the tutorial's loop", "≥", 13, ratio(ms["tutorial"], ms["soundclf"])),
            Goal("extraction: times as fast as librosa's defaults", "≥", 4, ratio(ms["librosa"], ms["soundclf"])),
            Goal(
                "extraction: times the bare parts (16 bit)", "≤", 1.8, ratio(ms["soundclf (16 bit)"], ms["bare parts"])
            ),
        ],
    )
    return [section, side_by_side(options)]


def side_by_side(options: Options) -> Section:
    """Compare two threads with one, grouped by the latency between the two cores."""
    many = replace(options, rounds=6 * options.rounds)
    answers = race("extraction", [ONE, TWO, PROCESSES], many, one_thread=True)
    rows, goals = [], []
    for low, high in distances([run["round_trip"] for runs in answers.values() for run in runs]):
        ms = {
            name: [1000 * run["seconds"] / run["n"] for run in runs if low <= (run["round_trip"] or 0) <= high]
            for name, runs in answers.items()
        }
        if not all(ms.values()):
            continue
        threads, processes = ratio(ms[ONE], ms[TWO]), ratio(ms[ONE], ms[PROCESSES])
        medians = [f"{digits(statistics.median(values))} ({len(values)} runs)" for values in ms.values()]
        rows.append([f"{low:.0f} to {high:.0f}", *medians, digits(threads), digits(processes)])
        where = f", round trip {low:.0f} to {high:.0f} ns" if high else ""
        goals.append(Goal(f"extraction: two threads, times as fast as one{where}", "≥", 1.7, threads))
    return Section(
        "Two threads",
        [
            "The same WAV clips, on two threads of one process and in two processes of one thread each, at the same "
            "time, which is what the machine gives at most. Threads hand Python's lock and Python's objects to and "
            "fro, and that costs what it takes to bring a byte from one core to the other and back, measured before "
            "every run. Cores that share a cache are quick at it; on a virtual machine the host decides which cores "
            "they are, and may change its mind.",
            table(
                ["round trip, ns", *(f"{name}, ms per clip" for name in answers), "threads: times", "processes: times"],
                rows,
            ),
        ],
        goals,
    )


def distances(round_trips: list[float | None]) -> list[tuple[float, float]]:
    """Part round trips, if they differ by more than half, at their widest gap."""
    known = sorted(trip for trip in round_trips if trip is not None)
    if not known:
        return [(0, 0)]
    gaps = [high / low for low, high in pairwise(known)]
    if not gaps or max(gaps) < 1.3 or known[-1] < 1.5 * known[0]:
        return [(known[0], known[-1])]
    cut = gaps.index(max(gaps))
    return [(known[0], known[cut]), (known[cut + 1], known[-1])]
