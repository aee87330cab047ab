"""Cross-validation that keeps recordings whole, leaks, metrics and reports."""

from .._utils.modules import set_public_module
from ._comparison import compare
from ._cross_validation import cross_validate_clips
from ._leaks import find_duplicates, find_leaks
from ._report import format_evaluation_html as format_evaluation_html
from ._results import Comparison, Evaluation

__all__ = ["Comparison", "Evaluation", "compare", "cross_validate_clips", "find_duplicates", "find_leaks"]

set_public_module(__name__, Comparison, Evaluation, compare, cross_validate_clips, find_duplicates, find_leaks)
