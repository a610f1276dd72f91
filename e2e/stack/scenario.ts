import { watchConformity, type ConformityWatch } from './conformity-watch.ts';
import { diagnose } from './diagnosis.ts';
import { Given } from './given.ts';
import { leftoversInNamespace, leftoversOnServer, settled } from './leftovers.ts';
import { installOperator, standardPlace, type OperatorPlace } from './operator.ts';
import { applicationReady, closeSite, oldImage, openSite, resetSite, type ResetOptions, type Site } from './site.ts';
import { sites, type SiteKind, type SiteName } from './sites.ts';
import { Then } from './then.ts';
import { When } from './when.ts';

export interface Scenario {
  site: Site;
  given: Given;
  when: When;
  then: Then;
}

export interface ScenarioOptions extends ResetOptions {
  /** It ends where a person must decide: fence, lock and runner stay on purpose and are not looked for. */
  needsHuman?: boolean;
}

/** A scenario of the planner: `body` is written in the words of given, when and then. */
export type Play = (title: string, body: (scenario: Scenario) => Promise<void>, options?: ScenarioOptions) => void;

/**
 * Deploys a planner for the scenarios of one `describe`, which share it one after the other. Each begins with two pods
 * of the old version on the old schema with the data sets that it asks for. During each one every status of every
 * PhaseMigration and run is looked at, and after each one that nothing was left over. One that fails tells what
 * Kubernetes, the operator and the runner say.
 */
export function plannerSite(namespace: SiteName): Play {
  const { postgres, ownOperator = false }: SiteKind = sites[namespace];
  const operator = ownOperator ? { namespace, release: 'own' } : standardPlace;
  let site: Site | undefined;
  before(async function () {
    this.timeout(240_000);
    site = await openSite(namespace, postgres);
    if (ownOperator) await installOwnOperator(site, operator);
  });
  after(async function () {
    this.timeout(120_000);
    if (site) await closeSite(site);
  });
  return (title, body, more = {}) => {
    it(title, async function () {
      // Longer than all its waits together: each of them says what it waited for, which mocha cannot.
      this.timeout(600_000);
      const fullTitle = this.test!.fullTitle();
      const began = performance.now();
      // Files that run at the same time are reported one by one when they end; this tells at once.
      const tell = (mark: string, more = '') => {
        const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(6);
        console.error(`  ${mark} ${seconds} s  ${fullTitle}${more}`);
      };
      try {
        await playScenario(site!, operator, body, more);
        tell('✔');
      } catch (error) {
        const { message } = error as Error;
        tell('✖', `\n      ${message.slice(0, 1500)}`);
        throw new Error(`${message}\n\n${await diagnose(site!, operator)}`, { cause: error });
      }
    });
  };
}

/** An operator that can be killed without disturbing the scenarios of other namespaces. */
async function installOwnOperator({ cluster, namespace }: Site, place: OperatorPlace): Promise<void> {
  const values = { watchNamespaces: [namespace], crds: { enabled: false }, rbac: { aggregateToDefaultRoles: false } };
  await installOperator(cluster, { place, images: {}, values });
}

async function playScenario(
  site: Site,
  operator: OperatorPlace,
  body: (scenario: Scenario) => Promise<void>,
  options: ScenarioOptions,
): Promise<void> {
  await resetSite(site, options);
  const pods = await applicationReady(site, oldImage);
  const conformity = watchConformity(site);
  const given = new Given(site);
  try {
    const when = new When(site, operator);
    await body({ site, given, when, then: new Then(site, when, { pods, conformity }) });
    if (!options.needsHuman) await nothingIsLeft(site);
    conformsToTheEnd(conformity, when.hasApplied);
  } finally {
    await Promise.all([given.end(), conformity.stop()]);
  }
}

async function nothingIsLeft(site: Site): Promise<void> {
  await settled(site);
  const left = [...(await leftoversInNamespace(site)), ...(await leftoversOnServer(site))];
  if (left.length > 0) throw new Error(`The run has left over: ${left.join('; ')}.`);
}

function conformsToTheEnd(conformity: ConformityWatch, mustBeSeen: boolean): void {
  const problems = conformity.problems();
  if (problems.length > 0)
    throw new Error(`Statuses were seen that contradict the Kubernetes API conventions:\n${problems.join('\n')}`);
  if (conformity.seen() === 0 && mustBeSeen) throw new Error('No status was seen at all: the watch has failed.');
}
