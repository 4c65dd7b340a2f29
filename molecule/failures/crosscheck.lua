-- Users for wrk like those of the load generator: each waits half a second to one and a half, then asks again.
function delay()
   return math.random(500, 1500)
end

-- Times in seconds since 1970, latencies in ms, as JSON.
function done(summary, latency)
   local errors = summary.errors
   local ended = os.time()
   io.write(string.format(
      '{"began": %.1f, "ended": %d, "requests": %d, "failed": %d, "p50": %.3f, "p90": %.3f, "p99": %.3f}\n',
      ended - summary.duration / 1000000, ended,
      summary.requests,
      errors.connect + errors.read + errors.write + errors.status + errors.timeout,
      latency:percentile(50) / 1000, latency:percentile(90) / 1000, latency:percentile(99) / 1000))
end
