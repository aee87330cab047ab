"""Allowed parameters of features, shared by functions, transformers and displays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._utils.validation import NONE, Rule, check_params, integer_in, list_of, real_in
from ..exceptions import ParameterError
from ._descriptors import DESCRIPTORS, STATISTICS, check_descriptors
from ._filters import FilterBank, make_filter_bank, warn_empty_bands

__all__ = [
    "FILTER_PARAMETERS",
    "MEL_PARAMETERS",
    "MFCC_PARAMETERS",
    "STATISTICS_PARAMETERS",
    "check_mel_parameters",
    "check_statistics_parameters",
    "get_filter_bank",
]

FILTER_PARAMETERS: dict[str, tuple[Rule, ...]] = {
    "sr": (real_in(0, closed="neither"),),
    "n_fft": (integer_in(1),),
    "n_mels": (integer_in(1),),
    "fmin": (real_in(0),),
    "fmax": (NONE, real_in(0, closed="neither")),
}
MEL_PARAMETERS: dict[str, tuple[Rule, ...]] = {**FILTER_PARAMETERS, "hop_length": (integer_in(1),)}
MFCC_PARAMETERS: dict[str, tuple[Rule, ...]] = {**MEL_PARAMETERS, "n_mfcc": (integer_in(1),)}
STATISTICS_PARAMETERS: dict[str, tuple[Rule, ...]] = {
    **MFCC_PARAMETERS,
    "deltas": (integer_in(0, 3),),
    "descriptors": (list_of(["log_mel", *DESCRIPTORS]),),
    "statistics": (list_of(STATISTICS, least=1),),
}


def check_mel_parameters(owner: str, table: Mapping[str, tuple[Rule, ...]], values: Mapping[str, Any]) -> None:
    """Check parameters against a table, and against each other."""
    check_params(owner, values, table)
    sr, fmin, fmax = values["sr"], values["fmin"], values["fmax"]
    if not fmin < (sr / 2 if fmax is None else fmax) <= sr / 2:
        raise ParameterError(f"{owner} needs fmin < fmax <= sr / 2, got fmin={fmin}, fmax={fmax} and sr={sr}")
    if "n_mfcc" in table and values["n_mfcc"] > values["n_mels"]:
        raise ParameterError(
            f"{owner} needs n_mfcc <= n_mels, got n_mfcc={values['n_mfcc']} and n_mels={values['n_mels']}"
        )


def check_statistics_parameters(owner: str, values: Mapping[str, Any]) -> None:
    """Check the parameters of statistics, also against each other."""
    check_mel_parameters(owner, STATISTICS_PARAMETERS, values)
    check_descriptors(owner, values["descriptors"], float(values["sr"]), int(values["n_fft"]))


def get_filter_bank(
    sr: float, n_fft: int, n_mels: int, fmin: float, fmax: float | None, *, precise: bool = False
) -> FilterBank:
    """Get window and filters, and warn of empty filters at the caller of the caller."""
    highest = None if fmax is None else float(fmax)
    bank = make_filter_bank(float(sr), int(n_fft), int(n_mels), float(fmin), highest, precise)
    warn_empty_bands(bank.n_empty, n_mels, n_fft, stacklevel=3)
    return bank
