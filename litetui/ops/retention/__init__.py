"""Retention: delete what nobody will restore any more.

`plan` decides, and names every file; `run` deletes just these, in an order that leaves a replica that restores at every
instant, for litetui and for Litestream; `periodic` is both, beside a running replicator.
"""

from litetui.ops.retention.execution import RetentionResult, periodic, run
from litetui.ops.retention.items import Item, Items
from litetui.ops.retention.planning import RetentionPlan, Rule, plan

__all__ = ["Item", "Items", "RetentionPlan", "RetentionResult", "Rule", "periodic", "plan", "run"]
