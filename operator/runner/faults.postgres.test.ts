import { expect } from 'chai';
import { RUNNER_FORWARD_STEPS, type RunnerStepName } from '../api/step-names.ts';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import { expectExactly, MIGRATED, PUT_BACK, type Exactly } from './testing/exactly.ts';
import { conduct, type Conduct } from './testing/operator.ts';
import { Scenario } from './testing/scenario.ts';
import { sweep } from './testing/sweep.ts';
import { Wire, type Fate } from './testing/wire.ts';

type Options = Parameters<typeof Scenario.create>[1];

const JOB = { name: 'figures', image: 'figures:1', timeoutSeconds: 60 };
const UNDONE_AFTER_COMMIT: Options = {
  plan: { verification: { checks: [], rollbackChecks: [], jobs: [JOB] } },
};

/** All of them would take minutes. */
const EVERY = 3;

describe('A run whose PostgreSQL or network fails', function () {
  // A sweep is dozens of runs: a minute on a machine at rest, several on a busy one.
  this.timeout(600_000);
  let server: Postgres;
  let scenario: Scenario;

  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());
  afterEach(() => scenario?.end());

  describe('when every process of the server is killed and it starts again', () => {
    for (const step of RUNNER_FORWARD_STEPS)
      it(`during ${step}, is carried through`, async () => {
        scenario = await Scenario.create(server);
        const operator = conduct(scenario, {});
        const runner = scenario.start();
        await crashDuring(step);
        expect(await Promise.race([runner.ended, operator.failed])).equal('Finished');
        operator.stop();
        await expectExactly(scenario, MIGRATED);
      });

    const back: [RunnerStepName, 'Template' | 'Dump'][] = [
      ...(['Rollback', 'VerifyRollback', 'RollbackUnfence'] as const).map((step) => [step, 'Template'] as const),
      ...(['RestorePoint', 'Rollback'] as const).map((step) => [step, 'Dump'] as const),
    ].map(([step, method]) => [step, method]);
    for (const [step, restorePoint] of back)
      it(`during ${step}, is undone by the restore point (${restorePoint})`, async () => {
        const options = {
          plan: { ...UNDONE_AFTER_COMMIT?.plan, rollback: { strategy: 'Auto', restorePoint } as const },
        };
        scenario = await Scenario.create(server, options);
        const operator = conduct(scenario, { failingJob: JOB.name });
        const runner = scenario.start();
        await crashDuring(step);
        expect(await Promise.race([runner.ended, operator.failed])).equal('Finished');
        operator.stop();
        await expectExactly(scenario, PUT_BACK);
      });

    async function crashDuring(step: RunnerStepName): Promise<void> {
      await scenario.memory.when(
        ({ steps }) => steps?.some(({ name, state }) => name === step && state === 'Running') ?? false,
        `the beginning of ${step}`,
      );
      await server.crash();
      await server.restart();
    }
  });

  describe('when the answer to COMMIT never comes', () => {
    for (const fate of ['LoseAnswer', 'CutBefore'] as const)
      for (const successor of [false, true])
        it(`${fate === 'LoseAnswer' ? 'although it was carried out' : 'because it never arrived'}, ${successor ? 'the next start' : 'the same start'} finds out and migrates exactly once`, async () => {
          scenario = await Scenario.create(server);
          const wire = await Wire.to(server);
          let fates = 1;
          wire.onQuery = (text) => {
            if (text !== 'COMMIT' || fates-- <= 0) return undefined;
            if (successor) queueMicrotask(() => scenario.runners[0]!.kill());
            return fate;
          };
          const operator = conduct(scenario, {});
          try {
            let runner = scenario.start({ databaseUrl: scenario.urlAt(wire.port) });
            if (successor) {
              expect(await runner.ended).equal('Stopped');
              runner = scenario.startNext();
            }
            expect(await Promise.race([runner.ended, operator.failed])).equal('Finished');
          } finally {
            operator.stop();
            await wire.close();
          }
          expect(fates).lessThan(1);
          await expectExactly(scenario, MIGRATED);
        });
  });

  describe('when pg_dump or pg_restore is cut off while the runner’s own connections last', () => {
    /** The first statement of both. */
    const ofPrograms = /set_config\('search_path', '', false\)/;

    async function cutOff(times: number): Promise<void> {
      const options = { plan: { ...UNDONE_AFTER_COMMIT?.plan, rollback: { strategy: 'Auto', restorePoint: 'Dump' } } };
      scenario = await Scenario.create(server, options as Options);
      const wire = await Wire.to(server);
      let left = times;
      wire.onQuery = (text) => (ofPrograms.test(text) && left-- > 0 ? 'CutBefore' : undefined);
      const operator = conduct(scenario, { failingJob: JOB.name });
      const runner = scenario.start({ databaseUrl: scenario.urlAt(wire.port) });
      // A run whose backup failed waits for ever for somebody who ends it.
      const failed = scenario.failed('Backup').catch(() => new Promise(() => undefined));
      try {
        await Promise.race([failed, runner.ended, operator.failed]);
      } finally {
        operator.stop();
        runner.kill();
        await runner.ended.catch(() => undefined);
        await wire.close();
      }
    }

    it('twice, starts it again, and undoes by the restore point all the same', async () => {
      await cutOff(2);
      expect(scenario.step('Rollback')?.message).match(/^The restore point took/);
      await expectExactly(scenario, PUT_BACK);
    });

    it('again and again, fails with its words', async () => {
      await cutOff(Infinity);
      expect(scenario.step('Backup')).include({ state: 'Failed', reason: 'BackupFailed' });
      expect(scenario.step('Backup')?.message).match(/^pg_dump ended with code 1: .*server closed the connection/s);
    });
  });

  describe('when its connection is cut at one query of the outage after the other', () => {
    const ways = [
      { title: 'carried through', options: {}, wishes: {}, expected: MIGRATED },
      {
        title: 'undone by the restore point',
        options: UNDONE_AFTER_COMMIT,
        wishes: { failingJob: JOB.name },
        expected: PUT_BACK,
      },
    ];
    for (const { title, options, wishes, expected } of ways)
      it(`is ${title} exactly`, async () => {
        const queries = await sweep((place) => cutAt(place, { options, wishes, expected }), EVERY);
        expect(queries, 'queries of an undisturbed outage').greaterThan(40);
      });

    /** @returns whether there were so many queries */
    async function cutAt(place: number, way: { options: Options; wishes: Conduct; expected: Exactly }) {
      const own = await Scenario.create(server, way.options);
      const wire = await Wire.to(server);
      const texts: string[] = [];
      wire.onQuery = (text): Fate => {
        // Before the outage nothing is done to the database.
        if (own.memory.runner.observedGoal === 'Prepared') return undefined;
        texts.push(text);
        return texts.length === place ? (place % 2 === 0 ? 'LoseAnswer' : 'CutBefore') : undefined;
      };
      const operator = conduct(own, way.wishes);
      const runner = own.start({ databaseUrl: own.urlAt(wire.port) });
      try {
        expect(await Promise.race([runner.ended, operator.failed])).equal('Finished');
        await expectExactly(own, way.expected);
        return texts.length >= place;
      } catch (error) {
        throw new Error(`cut at query ${place}: ${texts[place - 1]}`, { cause: error });
      } finally {
        operator.stop();
        await own.end();
        await wire.close();
      }
    }
  });
});
