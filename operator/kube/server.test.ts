import { expect } from 'chai';
import { createLogger, silentLogger } from './logger.ts';
import { createMetrics } from './metrics.ts';
import { WorkQueue } from './queue.ts';
import { startServer, type HealthServer, type ServerOptions } from './server.ts';
import { PassThrough } from 'node:stream';

describe('health and metrics server', () => {
  const servers: HealthServer[] = [];
  afterEach(() => Promise.all(servers.splice(0).map((server) => server.close())));

  async function serve(options: Partial<ServerOptions> = {}) {
    const server = await startServer({ port: 0, host: '127.0.0.1', logger: silentLogger, ...options });
    servers.push(server);
    return async (path: string, method = 'GET') => {
      const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
      return { code: response.status, text: await response.text() };
    };
  }

  it('is healthy without checks, and knows no other paths or methods', async () => {
    const get = await serve();
    expect(await get('/healthz')).to.deep.equal({ code: 200, text: 'ok\n' });
    expect((await get('/metrics')).code).to.equal(404);
    expect((await get('/healthz', 'POST')).code).to.equal(405);
  });

  it('is ready when every check says so, and names the one that does not', async () => {
    let synced = false;
    const get = await serve({
      readyChecks: {
        synced: () => synced || 'the first list has not come yet',
        leader: () => Promise.resolve(true),
      },
    });
    expect(await get('/readyz')).to.deep.equal({
      code: 503,
      text: '[-]synced failed: the first list has not come yet\n[+]leader ok\nnot ok\n',
    });
    synced = true;
    expect((await get('/readyz?verbose')).code).to.equal(200);
  });

  it('fails a check that throws or hangs, instead of hanging itself', async () => {
    const get = await serve({
      readyChecks: {
        thrown: () => Promise.reject(new Error('broken')),
        hanging: () => new Promise<boolean>(() => undefined),
      },
    });
    const { code, text } = await get('/readyz');
    expect([code, text]).to.deep.equal([503, '[-]thrown failed: broken\n[-]hanging failed: took too long\nnot ok\n']);
  });

  it('says which port is taken', async () => {
    await serve();
    const port = servers[0]?.port ?? 0;
    const refused = await startServer({ port, host: '127.0.0.1', logger: silentLogger }).catch((error: Error) => error);
    expect((refused as Error).message).to.match(new RegExp(`port ${port}: .*EADDRINUSE`));
  });

  it('shows what queues, requests and elections did', async () => {
    const metrics = createMetrics();
    const get = await serve({ registry: metrics.registry });
    const results = ['Done', 'Terminal'] as const;
    const queue = new WorkQueue({
      process: (key) => Promise.resolve({ result: results[Number(key)] ?? 'Done', error: new Error('no') }),
      concurrency: 1,
      backoff: { baseMilliseconds: 1, capMilliseconds: 1 },
      logger: silentLogger,
      observer: metrics.queueObserver('migration'),
    });
    metrics.watchQueue('migration', queue);
    queue.add('0');
    queue.add('1');
    await new Promise((resolve) => setImmediate(resolve));
    metrics.onRequest({ method: 'GET', code: 200, host: 'api:443', milliseconds: 3 });
    metrics.setLeading('the-operator', true);
    const { code, text } = await get('/metrics');
    expect(code).to.equal(200);
    for (const line of [
      'controller_runtime_reconcile_total{controller="migration",result="success"} 1',
      'controller_runtime_reconcile_total{controller="migration",result="error"} 1',
      'controller_runtime_reconcile_errors_total{controller="migration"} 1',
      'controller_runtime_terminal_reconcile_errors_total{controller="migration"} 1',
      'controller_runtime_reconcile_time_seconds_count{controller="migration"} 2',
      'workqueue_adds_total{name="migration"} 2',
      'workqueue_depth{name="migration"} 0',
      'rest_client_requests_total{code="200",method="GET",host="api:443"} 1',
      'leader_election_master_status{name="the-operator"} 1',
    ]) {
      expect(text.split('\n')).to.include(line);
    }
  });
});

describe('logger', () => {
  const logged = (
    level: string,
    log: (logger: ReturnType<typeof createLogger>) => void,
    format?: 'human',
  ): string[] => {
    const stream = new PassThrough();
    log(createLogger({ stream, level, format: format ?? 'json' }));
    return String(stream.read() ?? '')
      .trimEnd()
      .split('\n');
  };

  it('writes one JSON object a line, with the fields of its children', () => {
    const [line] = logged('info', (logger) => logger.child({ run: 'r1' }).info('Began.', { step: 'Migrate' }));
    const { time, ...rest } = JSON.parse(line ?? '') as Record<string, string>;
    expect(rest).to.deep.equal({ level: 'info', message: 'Began.', run: 'r1', step: 'Migrate' });
    expect(time).to.match(/^\d{4}-.*Z$/);
  });

  it('hides secrets in the message and however deep in the fields', () => {
    const url = 'postgres://app:hunter2hunter2@db/x';
    const fields = { url, nested: [{ header: 'Bearer abcdefghijkl' }], error: new Error(`cannot reach ${url}`) };
    for (const format of ['json', 'human'] as const) {
      const stream = new PassThrough();
      createLogger({ stream, level: 'debug', format }).info(`Connecting to ${url}`, fields);
      expect(String(stream.read()))
        .to.contain('postgres://app:***@db/x')
        .and.not.match(/hunter2|abcdefghijkl/);
    }
  });

  it('writes an error as its sentence, and its stack only at level debug', () => {
    const error = new Error('The disk is full.');
    const [brief] = logged('info', (logger) => logger.error('Backup failed.', { error }));
    expect((JSON.parse(brief ?? '') as { error: string }).error).to.equal('The disk is full.');
    const [full] = logged('debug', (logger) => logger.error('Backup failed.', { error }));
    expect((JSON.parse(full ?? '') as { error: string }).error).to.contain('server.test.ts');
  });

  it('writes nothing below its level, and no field can forge the message', () => {
    expect(logged('warn', (logger) => logger.info('x'))).to.deep.equal(['']);
    const [line] = logged('info', (logger) => logger.info('true', { message: 'forged', level: 'error' }));
    expect(line).to.contain('"message":"true"').and.contain('"level":"info"');
  });

  it('survives fields that refer to themselves', () => {
    const loop: Record<string, unknown> = { big: 1n };
    loop.self = loop;
    expect(logged('info', (logger) => logger.info('x', { loop }))[0]).to.contain('…');
  });
});
