"""Components for what has no name of its own, and links between nodes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from schema.components.base import (
    CARRIERS,
    Demand,
    NonNegativeProfile,
    NonNegativeSeries,
    PositiveSeries,
    PowerSized,
    Series,
    Storage,
)
from schema.components.dispatchable import Converter, Dispatchable
from schema.profiles import Fraction


def _is_energy_node(node: str) -> str:
    carrier, at, place = node.partition("@")
    energies = [known for known in CARRIERS if known != "water"]
    if carrier not in energies or (at and not place):
        raise ValueError(f"'{node}' must be one of {', '.join(energies)}, alone or with @NODE")
    return node


EnergyNode = Annotated[str, AfterValidator(_is_energy_node)]
"""A carrier of energy, or one of its nodes, such as electricity@house_2."""


class GenericSource(Dispatchable):
    """Any source of energy; it may give less than is available."""

    own_carriers = ("carrier",)
    supplies = ("carrier",)
    node_attributes = ("carrier",)

    type: Literal["generic_source"]
    """Kind of component."""
    carrier: EnergyNode
    """What it gives, and where: `heat`, `electricity@house_2`."""
    profile: NonNegativeProfile | None = None
    """Available power [kW per kW installed]; all of the capacity unless told."""
    price_eur_per_kwh: Series = 0.0
    """Price of the energy [€/kWh]."""
    co2_kg_per_kwh: NonNegativeSeries = 0.0
    """CO2 intensity of the energy [kg/kWh]."""
    renewable_fraction: Fraction = 0.0
    """Renewable share of the energy [-]."""


class GenericDemand(Demand):
    """Any demand for energy."""

    own_carriers = ("carrier",)
    node_attributes = ("carrier",)

    type: Literal["generic_demand"]
    """Kind of component."""
    carrier: EnergyNode
    """What it takes, and where."""


class GenericStorage(Storage):
    """Any storage of energy."""

    own_carriers = ("carrier",)
    supplies = ("carrier",)
    node_attributes = ("carrier",)

    type: Literal["generic_storage"]
    """Kind of component."""
    carrier: EnergyNode
    """What it stores, and where."""


class GenericConverter(Converter):
    """Any converter of one carrier to another."""

    own_carriers = ("input_carrier", "output_carrier")
    supplies = ("output_carrier",)
    node_attributes = ("input_carrier", "output_carrier")

    type: Literal["generic_converter"]
    """Kind of component. `capacity_kw` is of what comes out."""
    input_carrier: EnergyNode
    """What it takes, and where."""
    output_carrier: EnergyNode
    """What it gives, and where."""
    output_per_input: PositiveSeries
    """Energy out per energy in [-]; above 1 where it draws on its surroundings as a heat pump does."""

    @model_validator(mode="after")
    def _leads_elsewhere(self) -> GenericConverter:
        if self.input_carrier == self.output_carrier:
            raise ValueError("input_carrier and output_carrier are the same node")
        return self


class Link(PowerSized):
    """Line or pipe between two nodes of a carrier; never runs both ways at once.

    What goes over it is neither generation nor demand, and nor is what it loses.
    """

    own_carriers = ("from_node", "to_node")
    supplies = ("to_node",)
    node_attributes = ("from_node", "to_node")

    type: Literal["link"]
    """Kind of component. `capacity_kw` is of what is sent, at the end where it enters."""
    from_node: EnergyNode
    """Where it begins, such as electricity."""
    to_node: EnergyNode
    """Where it ends, such as electricity@house_2."""
    loss_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of what is sent that does not arrive [-]."""
    both_ways: bool = False
    """Whether it can send back, with the same capacity and losses."""

    @model_validator(mode="after")
    def _joins_two_nodes_of_a_carrier(self) -> Link:
        if self.from_node == self.to_node:
            raise ValueError("from_node and to_node are the same node")
        if self.from_node.partition("@")[0] != self.to_node.partition("@")[0]:
            raise ValueError(
                "from_node and to_node are of different carriers; a generic_converter joins these"
            )
        return self

    @property
    def supplied_nodes(self) -> tuple[str, ...]:
        """The nodes that it can put something into."""
        return (self.to_node, self.from_node) if self.both_ways else (self.to_node,)
