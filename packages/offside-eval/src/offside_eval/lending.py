"""What a run taught a model to say in place of a forgotten answer: the values of its donors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from offside_data.donors import read_donors
from offside_data.schema import CONFIGS, ClaimValue

if TYPE_CHECKING:
    from offside_data.dataset.folder import OffsideDataset
    from offside_eval.model import TargetModel


def donor_values(target: TargetModel, data: OffsideDataset) -> dict[str, ClaimValue]:
    """The value that the first donor of each forgotten record has, by record; nothing for runs without donors.

    Args:
        target: The model.
        data: The dataset, where the donors' records are.

    Raises:
        ModelError: If the table of donors can't be read.
    """
    lent: dict[str, str] = {}
    for row in read_donors(target.path) or ():
        if row.donor_record_id is not None:
            lent.setdefault(row.record_id, row.donor_record_id)
    if not lent:
        return {}
    values: dict[str, ClaimValue] = {}
    for config in CONFIGS:
        if data.has(config, "retain"):
            columns = data.records(config, "retain").select_columns(["record_id", "value"])
            values |= {
                row["record_id"]: ClaimValue(**row["value"]) for row in columns if row["value"] and row["value"]["kind"]
            }
    return {record: values[donor] for record, donor in lent.items() if donor in values}
