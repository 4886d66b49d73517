using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Experiments.Running;

/// <summary>Keeps which users are in which arms, in the transaction that converged them.</summary>
internal static class AssignmentStore
{
    // A user that another statement assigned meanwhile ends this one: its repetition takes the stored arm.
    private const string AssignSql =
        """
        with wanted as (
            select a.*
            from unnest(@Realms::text[], @KeycloakIds::text[], @ReadAts::timestamptz[], @Experiments::text[], @Versions::integer[],
                    @Arms::text[], @Buckets::integer[], @Credits::numeric[], @Seconds::double precision[], @Exposed::boolean[])
                as a (realm, keycloak_id, read_at, experiment, version, arm, bucket, credits, seconds, is_exposed)
            join keycloak_users k on k.realm = a.realm and k.keycloak_id = a.keycloak_id and k.checked_at <= a.read_at
            join user_credits c on c.user_id = k.account_id and c.realm = k.realm and c.keycloak_id = k.keycloak_id
        ),
        kept as (
            insert into experiment_assignments (
                realm, keycloak_id, experiment, version, arm, bucket, credits, expires_after, assigned_at, exposed_at)
            select w.realm, w.keycloak_id, w.experiment, w.version, w.arm, w.bucket, w.credits, w.seconds, @Now::timestamptz,
                case when w.is_exposed then @Now end
            from wanted w
            order by w.realm collate "C", w.keycloak_id collate "C"
            on conflict (realm, keycloak_id, experiment) do nothing
            returning keycloak_id
        )
        select count(*)::integer from kept
        having count(*) = (select count(*) from wanted) or credit_overtaken()
        """;

    private const string ExposeSql =
        """
        update experiment_assignments a set exposed_at = @Now::timestamptz
        from (
            select e.ctid as place
            from unnest(@Realms::text[], @KeycloakIds::text[], @Experiments::text[]) as w (realm, keycloak_id, experiment)
            join experiment_assignments e
                on e.realm = w.realm and e.keycloak_id = w.keycloak_id and e.experiment = w.experiment and e.exposed_at is null
            order by e.realm collate "C", e.keycloak_id collate "C"
            for no key update of e) p
        where a.ctid = p.place
        """;

    /// <summary>Stores new assignments, and that the welcome of users was paid by their arms.</summary>
    /// <param name="connection">In the transaction that converged the users and gave their grants.</param>
    /// <param name="users">Users with an arm.</param>
    /// <param name="now">When.</param>
    /// <param name="cancellationToken">Ends the statements.</param>
    public static async Task KeepAsync(
        NpgsqlConnection connection, IReadOnlyCollection<AssignedUser> users, DateTimeOffset now, CancellationToken cancellationToken)
    {
        AssignedUser[] assigned = [.. users.Where(user => user.Arm.IsNew)];
        AssignedUser[] exposed = [.. users.Where(user => user is { Arm.IsNew: false, IsExposed: true })];
        if (assigned.Length > 0)
        {
            await connection.QueryPreparedAsync<int>(
                AssignSql,
                [
                    assigned.Column("Realms", NpgsqlDbType.Text, user => user.Realm),
                    assigned.Column("KeycloakIds", NpgsqlDbType.Text, user => user.KeycloakId),
                    assigned.Column("ReadAts", NpgsqlDbType.TimestampTz, user => user.ReadAt.UtcDateTime),
                    assigned.Column("Experiments", NpgsqlDbType.Text, user => user.Arm.Experiment),
                    assigned.Column("Versions", NpgsqlDbType.Integer, user => user.Arm.Version),
                    assigned.Column("Arms", NpgsqlDbType.Text, user => user.Arm.Arm),
                    assigned.Column("Buckets", NpgsqlDbType.Integer, user => user.Arm.Bucket),
                    assigned.Column("Credits", NpgsqlDbType.Numeric, user => user.Arm.Credits),
                    assigned.Column("Seconds", NpgsqlDbType.Double, user => user.Arm.ExpiresAfter?.TotalSeconds),
                    assigned.Column("Exposed", NpgsqlDbType.Boolean, user => user.IsExposed),
                    Now(),
                ],
                cancellationToken);
        }

        if (exposed.Length > 0)
        {
            await connection.QueryPreparedAsync<int>(
                ExposeSql,
                [
                    exposed.Column("Realms", NpgsqlDbType.Text, user => user.Realm),
                    exposed.Column("KeycloakIds", NpgsqlDbType.Text, user => user.KeycloakId),
                    exposed.Column("Experiments", NpgsqlDbType.Text, user => user.Arm.Experiment),
                    Now(),
                ],
                cancellationToken);
        }

        NpgsqlParameter Now() => new("Now", NpgsqlDbType.TimestampTz) { Value = now.UtcDateTime };
    }
}

/// <summary>A user with an arm, in a batch that is converged.</summary>
/// <param name="ReadAt">When Keycloak was asked: a newer reading on record stores nothing.</param>
internal sealed record AssignedUser(string Realm, string KeycloakId, DateTimeOffset ReadAt, WelcomeArm Arm)
{
    /// <summary>Whether the welcome is paid by the arm.</summary>
    public bool IsExposed { get; init; }
}
