-- A route has no status: what it says is what its agents do. Degraded from a rollback until the
-- EdgeModel's status remembers it.
local health = {status = "Progressing", message = "no revision yet"}
local spec = obj.spec
if spec.halted ~= nil then
  health.status = "Degraded"
  health.message = "revision " .. spec.halted.revision .. " was rolled back: " .. spec.halted.rule
elseif spec.candidate ~= nil then
  health.message = "revision " .. spec.candidate.revision .. " is on trial"
elseif spec.stable ~= nil then
  health.status = "Healthy"
  health.message = "revision " .. spec.stable.revision .. " is stable"
end
return health
