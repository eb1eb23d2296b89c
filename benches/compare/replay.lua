-- Asks for what a file lists, one request a line: a path, and after a tab the Referer, where there is one.
-- wrk -s replay.lua URL -- FILE random|in-order
local threads = 0
local requests = {}
local random, last = false, 0

function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end

function init(arguments)
  random = arguments[2] == "random"
  math.randomseed(number)
  for line in io.lines(arguments[1]) do
    local path, referer = line:match("^([^\t]+)\t?(.*)$")
    wrk.headers["Referer"] = referer ~= "" and referer or nil
    requests[#requests + 1] = wrk.format("GET", path)
  end
end

function request()
  last = random and math.random(#requests) or last % #requests + 1
  return requests[last]
end
