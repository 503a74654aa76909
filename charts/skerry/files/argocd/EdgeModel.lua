-- Healthy: the desired revision answers. Degraded: a person has to act (gates not met, rolled back,
-- undone by hand, a wave that does not get on, a source that can't be had, a name in the way). Suspended:
-- a person holds it (spec.suspend) or has the last word (promotion: Manual). Everything else is on its way.
local health = {status = "Progressing", message = "the operator has not reconciled it yet"}
local status = obj.status
if status == nil or status.observedGeneration ~= obj.metadata.generation then
  return health
end
local found, unready = {}, nil
local held = {Suspended = true, AwaitingPromotion = true}
for _, condition in ipairs(status.conditions or {}) do
  if condition.status == "True" then
    found[condition.type] = condition
  elseif condition.type == "Ready" then
    unready = condition
    health.message = condition.message
  end
end
if found.Stalled ~= nil then
  health.status = "Degraded"
  health.message = found.Stalled.reason .. ": " .. found.Stalled.message
elseif found.Ready ~= nil then
  health.status = "Healthy"
  health.message = found.Ready.message
elseif obj.spec.suspend == true or (unready ~= nil and held[unready.reason]) then
  health.status = "Suspended"
  if unready ~= nil then
    health.message = unready.reason .. ": " .. unready.message
  end
end
return health
