-- Users for wrk like those of the load generator: each waits half a second to one and a half, then asks again.
function delay()
   return math.random(500, 1500)
end

-- In ms, as JSON.
function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '{"requests": %d, "failed": %d, "p50": %.3f, "p90": %.3f, "p99": %.3f}\n',
      summary.requests,
      errors.connect + errors.read + errors.write + errors.status + errors.timeout,
      latency:percentile(50) / 1000, latency:percentile(90) / 1000, latency:percentile(99) / 1000))
end
