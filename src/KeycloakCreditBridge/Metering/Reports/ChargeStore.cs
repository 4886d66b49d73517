using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Metering.Reports.Records;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Metering.Reports;

/// <summary>Charges accounts for reported usage.</summary>
internal static class ChargeStore
{
    private const string AccountsSql =
        $"""
        select w.user_id, c.user_id as account_id, c.tier, c.realm, {GrantEnds.IsDue} as is_due
        from unnest(@UserIds::text[]) as w (user_id)
        {BalanceStore.NamedAccount}
        order by c.user_id collate "C"
        for no key update of c
        """;

    private static readonly string ChargeSql = SqlText.Of(
        typeof(ChargeStore), "ChargeStore.Charge.sql", ("suppress_notify", BalanceInvalidationStore.SuppressNotify));

    /// <summary>
    /// The accounts of these users, each named by Keycloak id or account id. They stay locked until the transaction ends, so that no other
    /// writer changes their balances or ids.
    /// </summary>
    public static Task<IReadOnlyList<MeteredAccount>> AccountsAsync(
        NpgsqlTransaction transaction, string[] userIds, string[] realms, GrantEnds ends, CancellationToken cancellationToken) =>
        transaction.Connection!.QueryPreparedAsync<MeteredAccount>(
            AccountsSql,
            [
                new NpgsqlParameter("UserIds", NpgsqlDbType.Array | NpgsqlDbType.Text) { Value = userIds },
                new NpgsqlParameter("Realms", NpgsqlDbType.Array | NpgsqlDbType.Text) { Value = realms },
                GrantEnds.AtOf(ends),
            ],
            cancellationToken);

    /// <summary>Charges locked accounts for records that were not charged before. A batch holds each record at most once.</summary>
    public static async Task<ChargeResult> ChargeAsync(
        NpgsqlTransaction transaction, IReadOnlyList<Charge> charges, bool clamp, DateTimeOffset now,
        CancellationToken cancellationToken) =>
        (await transaction.Connection!.QueryPreparedAsync<ChargeResult>(
            ChargeSql,
            [
                new NpgsqlParameter("Now", NpgsqlDbType.TimestampTz) { Value = now.UtcDateTime },
                new NpgsqlParameter("Clamp", NpgsqlDbType.Boolean) { Value = clamp },
                charges.Column("IdentityUsers", NpgsqlDbType.Text, item => item.Record.IdentityUser),
                charges.Column("RecordIds", NpgsqlDbType.Text, item => item.Record.Identity.Key),
                charges.Column("UserIds", NpgsqlDbType.Text, item => item.Record.UserId),
                charges.Column("OldIds", NpgsqlDbType.Text, item => item.Record.Identity.ByIdAlone),
                charges.Column("EndedAts", NpgsqlDbType.TimestampTz, item => item.Record.EndedAt?.UtcDateTime),
                charges.Column("AccountIds", NpgsqlDbType.Text, item => item.AccountId),
                charges.Column("Charges", NpgsqlDbType.Numeric, item => item.Credits),
                charges.Column("Models", NpgsqlDbType.Text, item => item.Record.Model),
                charges.Column("Providers", NpgsqlDbType.Text, item => item.Record.Provider),
                charges.Column("Tokens", NpgsqlDbType.Integer, item => item.Record.Tokens),
                charges.Column("Free", NpgsqlDbType.Boolean, item => item.IsFree),
                charges.Column("Metadata", NpgsqlDbType.Text, item => item.Record.Metadata),
            ],
            cancellationToken))[0];
}

/// <param name="UserId">The id by which the gateway named the user.</param>
/// <param name="Realm">The realm of the account's user; null where no user of it is known.</param>
/// <param name="IsDue">Something in it has ended and is not booked out yet.</param>
internal sealed record MeteredAccount(string UserId, string AccountId, string Tier, string? Realm, bool IsDue);

/// <summary>A record with its price.</summary>
/// <param name="IsFree">Free by rule; a price of zero alone does not make it free.</param>
internal sealed record Charge(UsageRecord Record, string AccountId, decimal Credits, bool IsFree);

/// <param name="Records">Records charged now; the others were charged before.</param>
internal sealed record ChargeResult(long Records, decimal Credits);
