import { expect } from 'chai';
import fc from 'fast-check';
import { backupsToRemove, type StoredBackup } from './retention.ts';

const NOW = new Date('2026-06-01T00:00:00Z');
const DAY_MS = 86_400_000;

const backups: fc.Arbitrary<StoredBackup[]> = fc
  .array(fc.record({ days: fc.integer({ min: -2, max: 100 }), isWhole: fc.boolean() }), { maxLength: 20 })
  .map((each) =>
    each.map(({ days, isWhole }, index) => ({
      folder: String(index),
      takenAt: new Date(NOW.getTime() - days * DAY_MS),
      isWhole,
    })),
  );
const retention = fc.record({ maxAgeDays: fc.integer({ min: 1, max: 90 }), keepLast: fc.integer({ min: 1, max: 5 }) });

describe('Retention of backups', () => {
  it('never removes the last good ones, nor one whose time is not over', () => {
    fc.assert(
      fc.property(backups, retention, (all, wanted) => {
        const removed = new Set(backupsToRemove(all, wanted, NOW));
        const good = all.filter(({ isWhole }) => isWhole);
        const left = good.filter((backup) => !removed.has(backup));
        expect(left.length).to.be.at.least(Math.min(wanted.keepLast, good.length));
        const newest = Math.max(...good.map(({ takenAt }) => takenAt.getTime()));
        if (good.length > 0) expect(Math.max(...left.map(({ takenAt }) => takenAt.getTime()))).to.equal(newest);
        for (const { takenAt } of removed)
          expect(NOW.getTime() - takenAt.getTime()).to.be.greaterThan(wanted.maxAgeDays * DAY_MS);
      }),
    );
  });

  it('leaves nothing that is too old beyond those', () => {
    fc.assert(
      fc.property(backups, retention, (all, wanted) => {
        const removed = new Set(backupsToRemove(all, wanted, NOW));
        const old = all.filter(({ takenAt }) => NOW.getTime() - takenAt.getTime() > wanted.maxAgeDays * DAY_MS);
        const kept = old.filter((backup) => !removed.has(backup));
        expect(kept.length).to.be.at.most(wanted.keepLast);
        expect(kept.every(({ isWhole }) => isWhole)).to.equal(true);
      }),
    );
  });
});
