"""The declarative schemas."""

from __future__ import annotations

import pytest

from validation.errors import InputError
from validation.schema import SlideSchema, column_names, load_schema
from validation.slides import COARSEST, MPP_RANGE


def test_rectal_mri_has_the_contracted_columns_and_images() -> None:
    """Images bring their path and digest columns; units and missing rules are in the schema."""
    schema = load_schema("rectal_mri")
    columns = {column.name: column for column in schema.patients.columns}

    assert [image.name for image in schema.images] == ["t2w", "t2w_mask", "dwi_b0", "dwi_b1000", "dwi_mask"]
    assert column_names(schema.patients)[-2:] == ("dwi_mask_path", "dwi_mask_sha256")
    assert columns["cea_ng_ml"].unit == "ng/mL"
    assert columns["cea_ng_ml"].missing_share_max > 0
    assert columns["age_years"].missing_share_max == 0
    assert columns["pcr"].categories == ("yes", "no")


def test_every_image_rule_names_images_that_exist() -> None:
    """Grids and the diffusion rule refer to images of the schema."""
    schema = load_schema("rectal_mri")
    names = {image.name for image in schema.images}

    assert {image.grid_of for image in schema.images if image.grid_of} <= names
    assert schema.diffusion is not None
    assert {schema.diffusion.low, schema.diffusion.high, schema.diffusion.mask} <= names


def test_a_resolution_that_is_given_has_the_range_of_one_that_is_read() -> None:
    """A column that lets through what the reader of slides refuses would fail later, on the slide."""
    schema = load_schema("liver_histology")
    given = next(column for column in schema.patients.columns if column.name == "mpp_given")
    (slide,) = (image for image in schema.images if isinstance(image, SlideSchema))

    assert (given.minimum, given.maximum) == slide.mpp == (MPP_RANGE[0], pytest.approx(COARSEST))


def test_unknown_schema_is_an_input_error() -> None:
    """The error names the schemas that exist."""
    with pytest.raises(InputError, match=r"found 'rectal_ct'; expected one of .*rectal_mri"):
        load_schema("rectal_ct")
