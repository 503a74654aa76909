-- Degraded: another class of the same priority selects some of its nodes. A class without nodes is well.
local health = {status = "Progressing", message = "the operator has not reconciled it yet"}
local status = obj.status
if status == nil or status.observedGeneration ~= obj.metadata.generation then
  return health
end
health.status = "Healthy"
health.message = tostring(status.reachable) .. " of " .. tostring(status.nodes) .. " nodes are reachable"
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Stalled" and condition.status == "True" then
    health.status = "Degraded"
    health.message = condition.reason .. ": " .. condition.message
  end
end
return health
