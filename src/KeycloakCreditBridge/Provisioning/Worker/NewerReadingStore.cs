using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Provisioning.Worker;

/// <summary>Finds users whose record is of a newer reading than one that was just converged, which changed nothing then.</summary>
internal sealed class NewerReadingStore(NpgsqlDataSource dataSource)
{
    private const string FindSql =
        """
        select k.realm, k.keycloak_id
        from unnest(@Realms::text[], @KeycloakIds::text[], @ReadAts::timestamptz[]) as s (realm, keycloak_id, read_at)
        join keycloak_users k on k.realm = s.realm and k.keycloak_id = s.keycloak_id
        where k.checked_at > s.read_at
        """;

    public Task<IReadOnlyList<(string Realm, string KeycloakId)>> FindAsync(
        IReadOnlyCollection<DesiredState> states, CancellationToken cancellationToken) =>
        dataSource.QueryPreparedAsync<(string, string)>(
            FindSql,
            [
                states.Column("Realms", NpgsqlDbType.Text, state => state.Realm),
                states.Column("KeycloakIds", NpgsqlDbType.Text, state => state.KeycloakId),
                states.Column("ReadAts", NpgsqlDbType.TimestampTz, state => state.ReadAt.UtcDateTime),
            ],
            cancellationToken);
}
