import { expect } from 'chai';
import fc from 'fast-check';
import { describeHolder, isSame, type HolderRow } from './holder.ts';
import { judgeTable, type TableFacts } from './holder-table.ts';
import { warningOf } from './lock.ts';

const ROW: HolderRow = {
  ...{
    name: 'shop/rename-2',
    cluster: 'staging',
    runUid: 'uid',
    epoch: 3,
    pod: 'rename-2-runner-3-x',
    step: 'Migrate',
  },
  ...{ state: 'Working', lockPid: 7, startedAt: '2026-11-21T01:00:00Z', heartbeatAt: '2026-11-21T01:00:05Z' },
  silentSeconds: 90,
};

describe('Who works on a database, in words', () => {
  it('names run, cluster, start, pod, step and time', () => {
    expect(describeHolder(ROW)).equal(
      'run shop/rename-2 of cluster staging (start 3, pod rename-2-runner-3-x), at step Migrate, since 2026-11-21T01:00:00Z',
    );
    const { name, state, lockPid, startedAt, heartbeatAt, silentSeconds } = ROW;
    const person = { ...{ name, state, lockPid, startedAt, heartbeatAt, silentSeconds }, name: 'anna@laptop' };
    expect(describeHolder(person)).equal('anna@laptop, since 2026-11-21T01:00:00Z');
  });

  it('warns of whoever it was taken over from, and not of an earlier start of one’s own', () => {
    const claim = { database: 'shop', roles: [], holder: { name: 'shop/rename-2', runUid: 'uid', epoch: 4 } };
    expect(warningOf(ROW, claim)).equal(undefined);
    expect(warningOf(undefined, claim)).equal(undefined);
    const other = { ...claim, holder: { ...claim.holder, runUid: 'another' } };
    expect(warningOf(ROW, other)).match(/^The lock on database "shop" was taken over from run shop\/rename-2 of/);
  });

  it('knows a run by its UID and a person by the name', () => {
    expect(isSame({ name: 'a', runUid: '1' }, { name: 'b', runUid: '1' })).equal(true);
    expect(isSame({ name: 'a', runUid: '1' }, { name: 'a', runUid: '2' })).equal(false);
    expect(isSame({ name: 'a@b' }, { name: 'a@b' })).equal(true);
    expect(isSame({ name: 'a@b' }, { name: 'a@b', runUid: '1' })).equal(false);
    expect(isSame({ name: 'a@b', runUid: '1' }, { name: 'a@b' })).equal(false);
  });
});

describe('The table of who works on a database', () => {
  const owner = fc.option(fc.constantFrom('me', 'stranger', 'postgres'), { nil: undefined });
  const facts: fc.Arbitrary<TableFacts> = fc
    .record({
      ...{ schemaOwner: owner, tableOwner: owner, isTrusted: fc.boolean(), isPlain: fc.boolean() },
      ...{ mayCreate: fc.boolean(), mayWrite: fc.boolean() },
    })
    .map(({ schemaOwner, tableOwner, ...rest }) => ({
      ...{ role: 'me', place: 'postgres' },
      ...rest,
      ...(schemaOwner ? { schemaOwner } : {}),
      ...(schemaOwner && tableOwner ? { tableOwner } : {}),
    }));

  it('is written only where its owner is trusted, and otherwise people are told what to do', () => {
    fc.assert(
      fc.property(facts, (found) => {
        const judged = judgeTable(found);
        if (judged === 'use') {
          expect(found).include({ isPlain: true, mayWrite: true, isTrusted: true }).and.have.property('tableOwner');
        } else if (judged === 'create') {
          expect(found).include({ mayCreate: true }).and.not.have.property('tableOwner');
          expect(found.schemaOwner === undefined || found.isTrusted).equal(true);
        } else {
          expect(judged.problem).match(/As a superuser|not an ordinary table/);
        }
      }),
    );
  });
});
