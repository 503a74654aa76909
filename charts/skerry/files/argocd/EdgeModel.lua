-- Healthy: what the spec asks for answers. Degraded: a person has to act (gates not met, taken back,
-- a name in the way). Suspended: the spec says so. Everything else is on its way.
local health = {status = "Progressing", message = "the operator has not looked at it yet"}
local status = obj.status
if status == nil or status.observedGeneration ~= obj.metadata.generation then
  return health
end
local found = {}
for _, condition in ipairs(status.conditions or {}) do
  if condition.status == "True" then
    found[condition.type] = condition
  elseif condition.type == "Ready" then
    health.message = condition.message
  end
end
if found.Stalled ~= nil then
  health.status = "Degraded"
  health.message = found.Stalled.reason .. ": " .. found.Stalled.message
elseif found.Ready ~= nil then
  health.status = "Healthy"
  health.message = found.Ready.message
elseif status.phase == "Paused" or obj.spec.suspend == true then
  health.status = "Suspended"
end
return health
