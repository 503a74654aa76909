-- Degraded: a stable revision does not answer on the device. Progressing: a candidate is on trial there,
-- or the agent has not reported. A candidate that failed there while stable answers is well.
local health = {status = "Progressing", message = "its agent has not reported yet"}
local status = obj.status
if status == nil or status.agentVersion == nil then
  return health
end
local trying, serving = nil, 0
for _, model in ipairs(status.models or {}) do
  local name = model.namespace .. "/" .. model.name
  local candidate = model.candidate
  if model.stable ~= nil and model.healthy ~= true then
    health.status = "Degraded"
    health.message = name .. ": " .. (model.message or "the stable revision does not answer")
    return health
  end
  if candidate ~= nil and candidate.state ~= "Passed" and candidate.state ~= "Failed" then
    trying = name .. ": revision " .. candidate.revision .. " is on trial (" .. candidate.state .. ")"
  end
  if model.serving ~= nil then
    serving = serving + 1
  end
end
if trying ~= nil then
  health.message = trying
else
  health.status = "Healthy"
  health.message = tostring(serving) .. " models answer"
end
return health
