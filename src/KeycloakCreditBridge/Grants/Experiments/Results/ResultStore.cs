using Dapper;
using KeycloakCreditBridge.Grants.Policy.Settings;
using Npgsql;

namespace KeycloakCreditBridge.Grants.Experiments.Results;

/// <summary>Counts the users of an experiment by arm. A user counts for the arm that it was assigned to, whatever became of it.</summary>
internal sealed class ResultStore(NpgsqlDataSource dataSource)
{
    // Users whose time is not over are in no share: those of the last days would look as if they did nothing.
    private const string CountSql =
        $"""
        select a.arm, count(*) as users, count(a.exposed_at) as exposed, count(*) filter (where a.assigned_at <= @RipeAt) as ripe,
            count(*) filter (where a.assigned_at <= @RipeAt and a.assigned_at + @Window > case @Metric
                when '{ExperimentMetrics.Spent}' then c.first_spend_at
                when '{ExperimentMetrics.Purchased}' then c.purchased_at
                else least(c.first_read_at, c.first_spend_at) end) as did
        from experiment_assignments a
        left join keycloak_users k on k.realm = a.realm and k.keycloak_id = a.keycloak_id
        left join user_credits c on c.user_id = k.account_id and c.realm = k.realm and c.keycloak_id = k.keycloak_id
        where a.realm = @Realm and a.experiment = @Experiment and a.version = @Version
        group by a.arm
        """;

    /// <summary>The counts by arm; arms without users are missing.</summary>
    public async Task<IReadOnlyDictionary<string, ArmCounts>> CountAsync(
        string realm, string experiment, int version, string metric, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var window = ExperimentMetrics.WindowOf(metric);
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        var counts = await connection.QueryAsync<ArmCounts>(new CommandDefinition(
            CountSql,
            new { Realm = realm, Experiment = experiment, Version = version, Metric = metric, Window = window, RipeAt = now - window },
            cancellationToken: cancellationToken));
        return counts.ToDictionary(arm => arm.Arm, StringComparer.Ordinal);
    }
}

/// <param name="Users">All that were assigned.</param>
/// <param name="Exposed">Those whose welcome was paid by the arm.</param>
/// <param name="Ripe">Those of all whose time to do it is over.</param>
/// <param name="Did">Those of them that did it in time.</param>
internal sealed record ArmCounts(string Arm, long Users, long Exposed, long Ripe, long Did);
