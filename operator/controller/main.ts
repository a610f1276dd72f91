import { randomUUID } from 'node:crypto';
import { KubeClient } from '../kube/client.ts';
import { EventRecorder } from '../kube/events.ts';
import { startLeaderElection, type LeaderElection } from '../kube/leader-election.ts';
import { createLogger } from '../kube/logger.ts';
import { messageOf } from '../kube/message-of.ts';
import { createMetrics } from '../kube/metrics.ts';
import { startServer } from '../kube/server.ts';
import { readConfiguration, type Configuration } from './configuration.ts';
import { startController, type Controller } from './controller.ts';

const LEASE = 'phasemigration-operator';
const logger = createLogger();

try {
  await main(readConfiguration(process.env));
} catch (error) {
  logger.error(`The operator cannot start: ${messageOf(error)}`);
  process.exitCode = 1;
}

/** Runs the operator until SIGTERM or SIGINT, or until it loses its lease: then it exits at once with code 1. */
async function main(configuration: Configuration): Promise<void> {
  const { POD_NAME, POD_NAMESPACE } = configuration;
  const metrics = createMetrics();
  const client = KubeClient.fromDefault({ onRequest: metrics.onRequest, onWarning: (warning) => logger.warn(warning) });
  const events = new EventRecorder({ client, reportingInstance: POD_NAME, logger });
  let controller: Controller | undefined;
  const lead = () => {
    metrics.setLeading(LEASE, true);
    const runner = {
      image: configuration.RUNNER_IMAGE,
      pullPolicy: configuration.RUNNER_IMAGE_PULL_POLICY,
      pullSecrets: configuration.RUNNER_IMAGE_PULL_SECRETS,
      clusterName: configuration.CLUSTER_NAME,
    };
    controller = startController({
      client,
      events,
      logger,
      metrics,
      runner,
      namespaces: configuration.WATCH_NAMESPACES,
    });
    logger.info('Leading: reconciling PhaseMigrations.');
  };
  const election = takePart(configuration, client, lead);
  const health = await startServer({
    port: configuration.HEALTH_PORT,
    // A follower is ready: it stands by. A leader is once it has seen everything.
    readyChecks: { synced: () => controller === undefined || controller.hasSynced() },
    logger,
  });
  const metricsServer = await startServer({ port: configuration.METRICS_PORT, registry: metrics.registry, logger });
  logger.info(`Operator ${POD_NAME} in namespace ${POD_NAMESPACE} is up.`);

  const signal = await untilSignal();
  logger.info(`${signal}: ending what is under way.`);
  await controller?.stop();
  await events.flush();
  // The lease is given back last: the next leader must not begin while this one still writes.
  await election?.stop();
  await Promise.all([health.close(), metricsServer.close()]);
  client.close();
  process.exit(0);
}

function takePart(configuration: Configuration, client: KubeClient, lead: () => void): LeaderElection | undefined {
  if (configuration.LEADER_ELECTION === 'off') {
    lead();
    return undefined;
  }
  return startLeaderElection({
    client,
    namespace: configuration.POD_NAMESPACE,
    name: LEASE,
    identity: `${configuration.POD_NAME}_${randomUUID()}`,
    onLeading: lead,
    onLost: (reason) => {
      logger.error(`Leadership was lost (${reason}): exiting, so that nothing begun here goes on.`);
      process.exit(1);
    },
    onNewLeader: (identity) => logger.info(`The leader is ${identity}.`),
    logger,
  });
}

function untilSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
  });
}
