"""Tissue map, spatial organisation and survival of colorectal liver metastases (Qi, iScience 2023;26:107702)."""

from __future__ import annotations

from math import sqrt

from models.spec import ImageInput, ModelSpec, TensorSpec, TileReading

TISSUES = ("BACK", "DEB", "HEP", "LYM", "MUC", "STR", "TUM")  # index = class of the classifier
ORGANISED = ("STR", "LYM", "HEP", "MUC", "DEB")  # tissues that give features
TILE_PX = 224
MPP = 0.5  # micrometres per pixel
TILE_UM = 112
TUMOUR_TILES_MIN = 50  # in the largest tumour region; the paper leaves out patients with fewer
BLANK_SHARE_MAX = 0.5  # of a tile that is classified

FAMILIES = ("overall", "infiltrating", "distal", "interaction")
FEATURES = tuple(f"{family}_{tissue.lower()}" for family in FAMILIES for tissue in ORGANISED)
FARTHEST_TILES = 64  # 7.2 mm; what lies farther from the tumour counts as this far
SQUARED_DISTANCES = tuple(  # every distance between two tiles up to the farthest, so that counts lose nothing
    sorted(
        {
            a**2 + b**2
            for a in range(FARTHEST_TILES + 1)
            for b in range(FARTHEST_TILES + 1)
            if a**2 + b**2 <= FARTHEST_TILES**2
        }
    )
)
DISTANCES_TILES = tuple(sqrt(square) for square in SQUARED_DISTANCES)

HORIZONS_MONTHS = (36, 60, 96)
FOLLOW_UP_MONTHS = 120  # development follow-up is censored here
CRS_FACTORS = ("node_positive", "interval_below_12m", "several_metastases", "diameter_above_5cm", "cea_above_200")
CRS_COLUMNS = (
    "pn_stage",
    "disease_free_interval_months",
    "synchronous",
    "metastases",
    "largest_diameter_cm",
    "cea_ng_ml",
)
CRS_CUTOFF = 2.5  # 0 to 2 is low, 3 to 5 high; between them where a missing factor makes the sum a fraction
RISK_MODELS: dict[str, tuple[str, ...]] = {"sof": ("sof",), "crs": ("crs",), "sof_crs": ("sof", "crs")}  # covariates

_RISK_LABELS = tuple(f"{months}m" for months in HORIZONS_MONTHS)
_COX = {
    "sof": "the spatial organisation score",
    "crs": "the clinical risk score",
    "sof_crs": "the spatial organisation and the clinical risk score",
}

SPEC = ModelSpec(
    name="histology_spatial_survival",
    title="Spatial organisation of tissue on H&E slides and survival after resection of colorectal liver metastases",
    modality="SM",
    endpoint="os",
    horizons_months=HORIZONS_MONTHS,
    images=(ImageInput("slide", "H&E whole-slide image of one resected liver metastasis"),),
    covariates=CRS_COLUMNS,
    inputs=(
        TensorSpec("tiles_by_tissue", (len(TISSUES),), f"tiles read as {', '.join(TISSUES)}, in this order", "tiles"),
        TensorSpec(
            "tiles_by_distance",
            (len(ORGANISED), len(DISTANCES_TILES)),
            f"tiles of {', '.join(ORGANISED)} by distance to the nearest tumour region: every distance that two tiles "
            f"can have, up to {FARTHEST_TILES} tiles; the last holds what lies farther, too",
            "tiles",
        ),
        TensorSpec(
            "interaction",
            (len(ORGANISED),),
            f"share of {', '.join(ORGANISED)} among the tiles with tissue in the 3 x 3 tiles around a tumour tile, "
            "mean over the tumour tiles",
            "share",
        ),
        TensorSpec(
            "covariates",
            (len(CRS_FACTORS),),
            "factors of the clinical risk score, 1 = yes, 0 = no, NaN = missing: counts as the development mean",
            "1",
            CRS_FACTORS,
        ),
    ),
    outputs=(
        TensorSpec(
            "feature",
            (len(FEATURES),),
            "spatial organisation features: overall, infiltrating and distal as shares of all tiles with tissue "
            "(without BACK), interaction as the input",
            "1",
            FEATURES,
        ),
        TensorSpec(
            "share",
            (len(TISSUES),),
            "share of each tissue among all classified tiles, BACK among them",
            "1",
            tuple(tissue.lower() for tissue in TISSUES),
        ),
        TensorSpec(
            "sof",
            (),
            "spatial organisation score, 0 = average development patient, higher = earlier death",
            "log hazard ratio",
        ),
        TensorSpec(
            "crs",
            (),
            "clinical risk score (Fong 1999), 0 to 5; a missing factor counts as its share in development",
            "points",
        ),
        TensorSpec(
            "grade",
            (),
            "0 low, 1 medium, 2 high: one point each for lp_sof at or above its cut-off and for a clinical risk score "
            f"at or above {CRS_CUTOFF}",
            "1",
        ),
        *(
            TensorSpec(
                f"lp_{name}",
                (),
                f"log relative hazard of death, Cox model of {what}, higher = earlier death",
                "log hazard ratio",
            )
            for name, what in _COX.items()
        ),
        *(
            TensorSpec(
                f"risk_{name}",
                (len(HORIZONS_MONTHS),),
                f"risk of death by each horizon after hepatectomy, Cox model of {what}",
                "1",
                _RISK_LABELS,
            )
            for name, what in _COX.items()
        ),
    ),
    prepare_path="models.histology_spatial_survival.inputs:prepare",
    system_path="models.histology_spatial_survival.system:SYSTEM",
    maps_path=None,
    tiles=TileReading(
        annotations="annotations",
        tissues=TISSUES,
        read_path="models.histology_spatial_survival.inputs:read",
        tiles_path="models.histology_spatial_survival.reading:tiles_at",
    ),
    excluded_share_max=0.25,  # as the protocol's gate image_failures; the paper left out 67 of 500 (13 %, 11 to 17)
)
