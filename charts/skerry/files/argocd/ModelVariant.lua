-- Healthy: a build passed its required gates. Degraded: none did, or the job failed.
local health = {status = "Progressing", message = "its job has not started yet"}
local status = obj.status
if status == nil or status.observedGeneration ~= obj.metadata.generation then
  return health
end
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Certified" then
    health.message = condition.message
    if condition.status == "True" then
      health.status = "Healthy"
    elseif condition.status == "False" then
      health.status = "Degraded"
      health.message = condition.reason .. ": " .. condition.message
    end
  end
end
return health
