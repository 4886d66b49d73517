using KeycloakCreditBridge.Grants.Booking;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Referrals.Payments;

/// <summary>What a reversal needs of a referral, whose accounts its transaction has locked.</summary>
internal static class ReversalStore
{
    private const string FindSql =
        """
        select a.realm, r.state, r.referrer, r.referee, r.referrer_grant, r.referee_grant, r.ended_at
        from referrals r
        left join user_credits a on a.user_id = r.referrer
        where r.id = @Id::uuid
        """;

    private const string AuditSql =
        """
        insert into audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata, ip_address)
        select @Now::timestamptz, a.account, 'referral.reverse', 'success', 'referrals', @Id::uuid::text, jsonb_build_object(
            'state', @State::text, 'who', @Side::text, 'note', @Note::text, 'by', @By::text), @Address::text
        from unnest(@Accounts::text[]) as a (account)
        """;

    public static async Task<PaidReferral?> FindAsync(NpgsqlConnection connection, Guid id, CancellationToken cancellationToken) =>
        (await connection.QueryPreparedAsync<PaidReferral>(
            FindSql, [new("Id", NpgsqlDbType.Uuid) { Value = id }], cancellationToken)) is [var referral]
            ? referral
            : null;

    public static Task AuditAsync(
        NpgsqlConnection connection, ReversalOrder order, PaidReferral referral, ReferralState state, DateTimeOffset now,
        CancellationToken cancellationToken) =>
        connection.QueryPreparedAsync<int>(
            AuditSql,
            [
                new("Id", NpgsqlDbType.Uuid) { Value = order.Id },
                new("State", NpgsqlDbType.Text) { Value = ReferralMoves.Name(state) },
                new("Side", NpgsqlDbType.Text) { Value = order.Side.ToString().ToLowerInvariant() },
                new("Note", NpgsqlDbType.Text) { Value = order.Note },
                new("By", NpgsqlDbType.Text) { Value = order.By },
                new("Address", NpgsqlDbType.Text) { Value = order.Address ?? (object)DBNull.Value },
                new("Accounts", NpgsqlDbType.Array | NpgsqlDbType.Text) { Value = new[] { referral.Referrer, referral.Referee } },
                BookingStore.Time("Now", now),
            ],
            cancellationToken);
}

/// <param name="ReferrerGrant">The key of what the referrer was paid; null where nothing was.</param>
/// <param name="RefereeGrant">The same of the referee.</param>
internal sealed record PaidReferral(
    string? Realm, string State, string Referrer, string Referee, string? ReferrerGrant, string? RefereeGrant, DateTimeOffset? EndedAt);
