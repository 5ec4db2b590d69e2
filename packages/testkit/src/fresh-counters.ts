import { metricsRegister } from "@heliograph/runtime";

// Vitest runs this in a worker before each of the files that share its modules. Each begins to count at zero, as a process does.
// A gauge is what it was set to last, some once as their module loads, and stays.
for (const metric of metricsRegister.getMetricsAsArray()) {
  // A number, say the types.
  const type = String(metric.type);
  if (type === "counter" || type === "histogram")
    metricsRegister.getSingleMetric(metric.name)?.reset();
}
