import { z } from 'zod';

const environment = z.object({
  POD_NAME: z
    .string()
    .min(1)
    .default(() => `local-${process.pid}`),
  POD_NAMESPACE: z.string().min(1).default('default'),
  RUNNER_IMAGE: z.string().min(1),
  RUNNER_IMAGE_PULL_POLICY: z.enum(['Always', 'IfNotPresent', 'Never']).default('IfNotPresent'),
  WATCH_NAMESPACES: z
    .string()
    .default('')
    .transform((list) =>
      list
        .split(',')
        .map((name) => name.trim())
        .filter(Boolean),
    ),
  HEALTH_PORT: z.coerce.number().int().min(0).max(65_535).default(8081),
  METRICS_PORT: z.coerce.number().int().min(0).max(65_535).default(8080),
  LEADER_ELECTION: z.enum(['on', 'off']).default('on'),
});
export type Configuration = z.infer<typeof environment>;

/**
 * The operator's configuration from its environment.
 * @throws an error that names every variable that is missing or wrong
 */
export function readConfiguration(variables: NodeJS.ProcessEnv): Configuration {
  const result = environment.safeParse(variables);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new Error(`The operator's environment is not usable: ${problems.join('; ')}`);
}
