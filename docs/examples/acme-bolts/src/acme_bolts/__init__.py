"""What Acme adds to pyimgano, declared as data; nothing below is imported before it is used."""

from pyimgano_industrial import Entry, hookimpl


@hookimpl
def pyimgano_datasets() -> list[Entry]:
    return [Entry("acme_bolts", "acme_bolts.dataset:AcmeBolts", "Bolts from Acme's line 3")]


@hookimpl
def pyimgano_models() -> list[Entry]:
    return [Entry("acme_gauge", "acme_bolts.model:Gauge", "Distance to the median bolt", tags=("vision", "pixel_map"))]


@hookimpl
def pyimgano_presets() -> list[Entry]:
    return [Entry("acme-coarse", "acme_bolts.model:COARSE", "A gauge for fast lines", metadata={"preset": "options"})]
