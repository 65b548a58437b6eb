"""Components of water: flows in m³/h, volumes in m³."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from schema.components.base import (
    Component,
    FlowSized,
    NonNegativeProfile,
    NonNegativeSeries,
    Series,
    VolumeSized,
)
from schema.profiles import Fraction, NonNegative


def _is_water_node(node: str) -> str:
    carrier, at, place = node.partition("@")
    if carrier != "water" or (at and not place):
        raise ValueError(f"'{node}' must be water, alone or with @NODE")
    return node


WaterNode = Annotated[str, AfterValidator(_is_water_node)]
"""water, or one of its nodes, such as water@cistern."""


class WaterGrid(Component):
    """Connection to the public water supply."""

    own_carriers = ("water",)
    supplies = ("water",)

    type: Literal["water_grid"]
    """Kind of component."""
    import_limit_m3_per_hour: NonNegative | None = None
    """Most that can be drawn [m³/h]; no limit unless told."""
    import_price_eur_per_m3: Series
    """Tariff, with sewage where that goes with it [€/m³]."""
    import_co2_kg_per_m3: NonNegativeSeries = 0.0
    """CO2 intensity of supply and treatment [kg/m³]."""


class WaterDemand(Component):
    """Water that must be delivered in every step; what may stay unserved is part of the total cost."""

    own_carriers = ("water",)

    type: Literal["water_demand"]
    """Kind of component."""
    profile: NonNegativeProfile
    """Demand [m³/h]."""
    scale: NonNegative = 1.0
    """The demand is multiplied by this [-]."""
    unserved_price_eur_per_m3: NonNegative | None = None
    """Price at which demand may stay unserved [€/m³]; all must be served unless told."""


class RainwaterSource(Component):
    """Rain collected from a roof; what is not used runs off."""

    own_carriers = ("water",)
    supplies = ("water",)

    type: Literal["rainwater_source"]
    """Kind of component."""
    profile: NonNegativeProfile
    """Rain [mm/h]."""
    catchment_area_m2: NonNegative
    """Area that catches the rain, in plan [m²]."""
    runoff_coefficient: Fraction = 0.8
    """Share of the rain that reaches the pipe [-]; 0.8 for pitched roofs with hard covering, DIN 1989-1:2002."""


class WaterTank(VolumeSized):
    """Water tank or cistern; it may overflow."""

    own_carriers = ("water",)
    supplies = ("water",)

    type: Literal["water_tank"]
    """Kind of component."""
    flow_limit_m3_per_hour: NonNegative | None = None
    """Most that can flow in, and most that can flow out [m³/h]; no limit unless told."""
    loss_fraction_per_hour: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the level that evaporates or leaks in an hour [1/h]."""
    initial_level_fraction: Fraction = 0.5
    """Level before the first step, as a share of the capacity [-]."""
    cyclic: bool = True
    """Whether the level after the last step equals the one before the first."""
    min_level_fraction: Fraction = 0.0
    """Lowest level after any step, as a share of the capacity [-]."""

    @model_validator(mode="after")
    def _starts_above_its_floor(self) -> WaterTank:
        if self.cyclic and self.initial_level_fraction < self.min_level_fraction:
            raise ValueError(
                "initial_level_fraction is below min_level_fraction, so the level cannot end there"
            )
        return self


class Pump(FlowSized):
    """Pump that lifts water from one node to another by electricity."""

    own_carriers = ("from_node", "to_node", "electricity")
    supplies = ("to_node",)
    node_attributes = ("from_node", "to_node")

    type: Literal["pump"]
    """Kind of component."""
    from_node: WaterNode
    """Where the water is taken, such as water@cistern."""
    to_node: WaterNode = "water"
    """Where the water is put."""
    electricity_kwh_per_m3: NonNegative
    """Electricity for each m³; lifting by 1 m takes 0.0027 kWh/m³ over the pump's efficiency [kWh/m³]."""

    @model_validator(mode="after")
    def _leads_elsewhere(self) -> Pump:
        if self.from_node == self.to_node:
            raise ValueError("from_node and to_node are the same node")
        return self
