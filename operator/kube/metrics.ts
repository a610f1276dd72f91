import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { ClientOptions } from './client.ts';
import type { Outcome, QueueObserver, WorkQueue } from './queue.ts';

const reconcileResults = {
  Done: 'success',
  RequeueAfter: 'requeue_after',
  Retry: 'error',
  Terminal: 'error',
} as const satisfies Record<Outcome['result'], string>;

/** The metrics that every Kubernetes controller has, under the names that controller-runtime and client-go made usual. */
export interface ToolkitMetrics {
  /** For domain metrics to be added, and for the server. */
  registry: Registry;
  /** What a queue calls; `controller` becomes the label. Follow with `watchQueue`. */
  queueObserver(controller: string): QueueObserver;
  /** Has the queue's depth and running work shown. */
  watchQueue(controller: string, queue: WorkQueue): void;
  /** For ClientOptions.onRequest. */
  onRequest: NonNullable<ClientOptions['onRequest']>;
  /** 1 while this process leads. */
  setLeading(lease: string, leading: boolean): void;
}

/** Makes a registry with these metrics and Node's own (memory, event loop lag, garbage collection). */
export function createMetrics(): ToolkitMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const master = new Gauge({
    name: 'leader_election_master_status',
    help: 'Whether this process leads: 1, or 0.',
    labelNames: ['name'],
    registers: [registry],
  });
  return {
    registry,
    ...queueMetrics(registry),
    onRequest: requestMetrics(registry),
    setLeading: (name, leading) => master.set({ name }, leading ? 1 : 0),
  };
}

function requestMetrics(registry: Registry): ToolkitMetrics['onRequest'] {
  const requests = new Counter({
    name: 'rest_client_requests_total',
    help: 'Requests to the API server, by method, status code and host; code 0 means that no answer came.',
    labelNames: ['code', 'method', 'host'],
    registers: [registry],
  });
  const duration = new Histogram({
    name: 'rest_client_request_duration_seconds',
    help: 'How long the API server took to answer.',
    labelNames: ['verb', 'host'],
    buckets: [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15],
    registers: [registry],
  });
  return ({ method, code, host, milliseconds }) => {
    requests.inc({ code, method, host });
    duration.observe({ verb: method, host }, milliseconds / 1000);
  };
}

function queueMetrics(registry: Registry): Pick<ToolkitMetrics, 'queueObserver' | 'watchQueue'> {
  const registers = [registry];
  const queues = new Map<string, WorkQueue>();
  const reconciles = new Counter({
    name: 'controller_runtime_reconcile_total',
    help: 'Reconciliations, by controller and result.',
    labelNames: ['controller', 'result'],
    registers,
  });
  const errors = counter('controller_runtime_reconcile_errors_total', 'Reconciliations that failed.', 'controller');
  const terminal = counter(
    'controller_runtime_terminal_reconcile_errors_total',
    'Reconciliations that failed in a way that repeating cannot help.',
    'controller',
  );
  const adds = counter('workqueue_adds_total', 'Keys added to a queue.', 'name');
  const retries = counter('workqueue_retries_total', 'Keys that come back because they failed.', 'name');
  const took = histogram('controller_runtime_reconcile_time_seconds', 'How long a reconciliation takes.', 'controller');
  const waited = histogram('workqueue_queue_duration_seconds', 'How long a key waits.', 'name');
  const worked = histogram('workqueue_work_duration_seconds', 'How long a key is being processed.', 'name');
  gauge('workqueue_depth', 'Keys that wait.', 'name', (queue) => queue.depth);
  gauge('controller_runtime_active_workers', 'Keys being processed.', 'controller', (queue) => queue.running);

  return {
    watchQueue: (controller, queue) => void queues.set(controller, queue),
    queueObserver: (controller) => ({
      added: () => adds.inc({ name: controller }),
      started: (milliseconds) => waited.observe({ name: controller }, milliseconds / 1000),
      finished: (outcome, milliseconds) => {
        reconciles.inc({ controller, result: reconcileResults[outcome.result] });
        took.observe({ controller }, milliseconds / 1000);
        worked.observe({ name: controller }, milliseconds / 1000);
        if (outcome.result === 'Retry' || outcome.result === 'Terminal') errors.inc({ controller });
        if (outcome.result === 'Retry') retries.inc({ name: controller });
        if (outcome.result === 'Terminal') terminal.inc({ controller });
      },
    }),
  };

  function counter(name: string, help: string, label: string): Counter {
    return new Counter({ name, help, labelNames: [label], registers });
  }
  function histogram(name: string, help: string, label: string): Histogram {
    const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
    return new Histogram({ name, help, labelNames: [label], buckets, registers });
  }
  function gauge(name: string, help: string, label: string, read: (queue: WorkQueue) => number): void {
    new Gauge({
      name,
      help,
      labelNames: [label],
      registers,
      collect() {
        for (const [controller, queue] of queues) this.set({ [label]: controller }, read(queue));
      },
    });
  }
}
