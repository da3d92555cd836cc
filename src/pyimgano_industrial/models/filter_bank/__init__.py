"""The filter bank: a detector that needs no weights and no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyimgano_industrial.core.names import on_demand

if TYPE_CHECKING:
    from pyimgano_industrial.models.filter_bank.detector import FilterBank, FilterBankError

__all__ = ["FilterBank", "FilterBankError"]

__getattr__, __dir__ = on_demand(__name__, {"FilterBank": "detector", "FilterBankError": "detector"})
