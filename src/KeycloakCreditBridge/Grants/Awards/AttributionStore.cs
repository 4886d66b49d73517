using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Awards;

/// <summary>Keeps where users came from: for each account what came first.</summary>
internal sealed class AttributionStore(NpgsqlDataSource dataSource)
{
    private const string KeepSql =
        """
        insert into attributions (user_id, source, medium, campaign, content, term, ref, attributed_at)
        select c.user_id, @Source::text, @Medium::text, @Campaign::text, @Content::text, @Term::text, @Ref::text, @Now::timestamptz
        from user_credits c
        left join keycloak_users k on k.realm = c.realm and k.keycloak_id = c.keycloak_id
        where c.user_id = @AccountId::text and c.status <> 'closed' and coalesce(k.created_at, c.created_at) > @CreatedAfter::timestamptz
        on conflict (user_id) do nothing
        returning user_id
        """;

    private const string FindSql =
        """
        select c.status, a.user_id is not null as is_kept, a.source, a.medium, a.campaign, a.content, a.term, a.ref
        from user_credits c
        left join attributions a on a.user_id = c.user_id
        where c.user_id = @AccountId::text
        """;

    /// <summary>Keeps an attribution where the account has none and its user was created after a time.</summary>
    public async Task<bool> KeepAsync(
        string accountId, Attribution attribution, DateTimeOffset createdAfter, DateTimeOffset now, CancellationToken cancellationToken) =>
        (await dataSource.QueryPreparedAsync<string>(
            KeepSql,
            [
                new("AccountId", NpgsqlDbType.Text) { Value = accountId },
                .. Attribution.Names.Select(name => new NpgsqlParameter($"{char.ToUpperInvariant(name[0])}{name[1..]}", NpgsqlDbType.Text)
                {
                    Value = attribution.Of(name) ?? (object)DBNull.Value,
                }),
                new("Now", NpgsqlDbType.TimestampTz) { Value = now.UtcDateTime },
                new("CreatedAfter", NpgsqlDbType.TimestampTz) { Value = createdAfter.UtcDateTime },
            ],
            cancellationToken)).Count > 0;

    /// <summary>What was kept of an account; null without an account.</summary>
    public async Task<KeptAttribution?> FindAsync(string accountId, CancellationToken cancellationToken) =>
        (await dataSource.QueryPreparedAsync<AttributionRow>(
            FindSql, [new("AccountId", NpgsqlDbType.Text) { Value = accountId }], cancellationToken)) is [var row]
            ? new KeptAttribution(
                row.Status,
                row.IsKept ? new Attribution(row.Source, row.Medium, row.Campaign, row.Content, row.Term, row.Ref) : null)
            : null;

    private sealed record AttributionRow(
        string Status, bool IsKept, string? Source, string? Medium, string? Campaign, string? Content, string? Term, string? Ref);
}

/// <param name="Status">The account's.</param>
/// <param name="Attribution">Null where none was kept.</param>
internal sealed record KeptAttribution(string Status, Attribution? Attribution);
