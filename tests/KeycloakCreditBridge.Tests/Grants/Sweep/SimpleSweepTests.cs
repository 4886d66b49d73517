using KeycloakCreditBridge.Tests.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Grants.Sweep;

/// <summary>Accounts that the sweep books without a replay come to what the replay makes of them.</summary>
public sealed class SimpleSweepTests(PostgresFixture postgres)
{
    // Everything but ids and times.
    private const string StateSql =
        """
        select concat_ws(' ', 'account', substr(user_id, 7), credits_remaining, next_expiry) from user_credits where user_id like @Like
        union all
        select concat_ws(' ', 'ledger', substr(user_id, 7), row_number() over (partition by user_id order by created_at, id), amount,
            balance_after, transaction_type, grant_key, metadata)
        from credit_transactions where user_id like @Like
        union all
        select concat_ws(' ', 'audit', substr(user_id, 7), action, metadata)
        from audit_logs where user_id like @Like and action <> 'credit.grant'
        union all
        select concat_ws(' ', 'grant', substr(user_id, 7), grant_key, closed_at, close_reason) from credit_grants where user_id like @Like
        order by 1
        """;

    private static readonly string[] Histories =
        ["unspent", "partly", "spent", "owing", "two-grants", "one-later", "bonus", "bonus-and-usage", "refunded", "voided"];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_sweep_leaves_every_account_as_a_reading_of_it_does()
    {
        await using var fixture = await GrantFixture.CreateAsync(postgres);
        foreach (var prefix in (string[])["swept-", "read1-"])
        foreach (var history in Histories)
            await TellAsync(fixture, $"{prefix}{history}", history);
        fixture.Time.Advance(TimeSpan.FromDays(40));
        // Before the sweep, which leaves no account out.
        foreach (var history in Histories)
            await fixture.Book.SettleAsync($"read1-{history}", Token);
        var swept = 0;
        while (await fixture.Booking.SettleNextAsync(4, Token) is > 0 and var done)
            swept += done;
        Assert.Equal(Histories.Length, swept);
        Assert.Equal(await StateAsync("read1-"), await StateAsync("swept-"));
        Assert.Equal("trial 5, usage -2, expire:trial -3", await fixture.LedgerAsync("swept-partly"));

        Task<IReadOnlyList<string>> StateAsync(string prefix) => fixture.Database.QueryAsync<string>(StateSql, new { Like = $"{prefix}%" });
    }

    [Fact]
    public async Task What_is_swept_has_no_replica_forget_its_balances()
    {
        await using var fixture = await GrantFixture.CreateAsync(postgres);
        foreach (var id in (string[])["swept-partly", "swept-two-grants"])
            await TellAsync(fixture, id, id[6..]);
        fixture.Time.Advance(TimeSpan.FromDays(40));
        List<string> told = [];
        await using var listener = await fixture.Database.DataSource.OpenConnectionAsync(Token);
        listener.Notification += (_, notice) => told.Add(notice.Payload);
        await using (var listen = new NpgsqlCommand("listen credit_balances", listener))
            await listen.ExecuteNonQueryAsync(Token);
        Assert.Equal(2, await fixture.Booking.SettleNextAsync(10, Token));
        await fixture.Database.ExecuteAsync("select pg_notify('credit_balances', 'afterwards')");
        while (told.Count == 0)
            await listener.WaitAsync(Token);
        Assert.Equal(["afterwards"], told);
    }

    private static async Task TellAsync(GrantFixture fixture, string id, string history)
    {
        await fixture.OpenAsync(id);
        await fixture.GiveAsync(id, "trial", 5m, days: 30);
        switch (history)
        {
            case "partly": await fixture.SpendAsync(id, 2m); break;
            case "spent": await fixture.SpendAsync(id, 5m); break;
            case "owing": await fixture.SpendAsync(id, 7m); break;
            case "two-grants": await fixture.GiveAsync(id, "promo", 4m, days: 20); await fixture.SpendAsync(id, 6m); break;
            case "one-later": await fixture.GiveAsync(id, "promo", 4m, days: 90); await fixture.SpendAsync(id, 6m); break;
            case "bonus" or "bonus-and-usage":
                await fixture.Database.ExecuteAsync(
                    """
                    insert into credit_transactions (user_id, amount, transaction_type, created_at)
                    select user_id, 3, 'bonus', updated_at + interval '1 microsecond' from user_credits where user_id = @id;
                    update user_credits set credits_remaining = credits_remaining + 3, updated_at = updated_at + interval '1 microsecond'
                    where user_id = @id
                    """,
                    new { id });
                if (history == "bonus-and-usage")
                    await fixture.SpendAsync(id, 4m);
                break;
            case "refunded":
                await fixture.SpendAsync(id, 2m);
                await fixture.Database.ExecuteAsync(
                    """
                    insert into credit_transactions (user_id, amount, transaction_type, created_at)
                    select user_id, 1, 'refund', updated_at + interval '1 microsecond' from user_credits where user_id = @id;
                    update user_credits set credits_remaining = credits_remaining + 1, updated_at = updated_at + interval '1 microsecond'
                    where user_id = @id
                    """,
                    new { id });
                break;
            case "voided":
                await fixture.GiveAsync(id, "promo", 4m, days: 20);
                await fixture.Book.VoidAsync(new(id, "promo", KeycloakCreditBridge.Grants.Lots.VoidReach.Stop, "test", "test"), Token);
                break;
        }
    }
}
