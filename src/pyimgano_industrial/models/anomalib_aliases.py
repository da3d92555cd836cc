"""One detector class for each row of the table, named after anomalib's own class."""

from __future__ import annotations

from pyimgano_industrial.models.anomalib_detector import AnomalibDetector, AnomalibScorer
from pyimgano_industrial.models.anomalib_table import GONE, MODELS, AnomalibModel


def _alias(model: AnomalibModel) -> type[AnomalibScorer]:
    base = AnomalibDetector if model.maps else AnomalibScorer
    return type(model.class_name, (base,), {"__doc__": base.__doc__, "__module__": __name__, "model": model})


globals().update({model.class_name: _alias(model) for model in (*MODELS, GONE)})
