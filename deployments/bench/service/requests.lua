-- What wrk sends, one request after the other. `load.py` gives the arguments (kind, people, API keys, first code,
-- what codes begin with) and reads the line that `done` writes.
local PREFIX = "/api/integration/v1"
local threads, heads, keys = {}, {}, {}
local kind, people, codes

function setup(thread)
  threads[#threads + 1] = thread
end

function init(args)
  kind, people, number, codes = args[1], tonumber(args[2]), tonumber(args[4]), args[5]
  for key in args[3]:gmatch("[^,]+") do keys[#keys + 1] = key end
  math.randomseed(7)
end

local function get(path, of)
  return "GET " .. path .. " HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer " .. keys[of % #keys + 1] .. "\r\n\r\n"
end

-- The head is the same for all bodies of one length and key.
local function post(path, of, body)
  local name = of % #keys * 1000 + #body
  local head = heads[name]
  if not head then
    head = "POST " .. path .. " HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer " .. keys[of % #keys + 1]
      .. "\r\ncontent-type: application/json\r\ncontent-length: " .. #body .. "\r\n\r\n"
    heads[name] = head
  end
  return head .. body
end

local make = {
  healthz = function() return "GET /api/healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n" end,
  me = function(of) return get(PREFIX .. "/me", of) end,
  users_live = function(of) return get(PREFIX .. "/users/live?limit=20", of) end,
  heartbeat = function(of)
    return post(PREFIX .. "/heartbeat", of, '{"users":[{"external_user_id":"u' .. of .. '"}]}')
  end,
  exchange = function()
    number = number + 1
    local body = '{"code":"' .. codes .. number - 1 .. '","return_url":"https://partner.example/back"}'
    return post(PREFIX .. "/access/exchange", number - 1, body)
  end,
}

function request()
  return make[kind](math.random(people))
end

function done(summary, latency)
  local lost = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format(
    '\n{"requests":%d,"refused":%d,"lost":%d,"seconds":%.6f,"p50":%.6f,"p99":%.6f,"next_number":%d}\n',
    summary.requests, summary.errors.status, lost, summary.duration / 1e6,
    latency:percentile(50) / 1e6, latency:percentile(99) / 1e6, threads[1]:get("number")))
end
