/** Where the planner lives in the cluster; the chart in charts/planner gives its objects these fixed names. */
export const planner = {
  namespace: 'planner',
  database: {
    workload: 'statefulset/planner-postgres',
    /** Inside the pod the superuser connects through the socket without a password. */
    psql: ['psql', '-h', '/tmp', '-U', 'postgres', '-d', 'planner'],
  },
} as const;
