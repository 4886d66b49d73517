using System.Text.Json.Nodes;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Ledger;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Grants.Notices;
using KeycloakCreditBridge.Grants.Sweep;
using KeycloakCreditBridge.Periods;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Grants.Lots;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Grants.Booking;

/// <summary>Two replicas on one database, composed as in production, and a clock that the test moves.</summary>
internal sealed class ReplicaPairFixture : IAsyncDisposable
{
    private const string AddSql =
        """
        insert into user_credits (user_id, tier, credits_remaining, credits_allocated, last_reset, created_at, updated_at, status)
        select id, 'trial', 0, 0, timestamptz '2999-01-01Z', @Created, @Created, 'active' from unnest(@Ids) as id
        """;

    private const string UnbalancedSql =
        """
        select c.user_id from user_credits c
        where c.credits_remaining <> (select coalesce(sum(t.amount), 0) from credit_transactions t where t.user_id = c.user_id)
        """;

    private const string NoticesSql =
        """
        select user_id || ' ' || (metadata ->> 'days') || ' ' || trim_scale((metadata ->> 'amount')::numeric) from audit_logs
        where action = 'credit.expiring' order by id
        """;

    private const string IdSql = "select id::text from credit_transactions where user_id = @account and metadata ->> 'row' = @Key";

    private const string EndPeriodSql = "update user_credits set last_reset = @End where user_id = @account";

    private readonly BridgeFixture[] _replicas;

    private ReplicaPairFixture(TestDatabase database, ManualTimeProvider clock, BridgeFixture[] replicas) =>
        (Database, Clock, _replicas) = (database, clock, replicas);

    public TestDatabase Database { get; }

    public ManualTimeProvider Clock { get; }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<ReplicaPairFixture> StartAsync(PostgresFixture postgres, params (string Key, string? Value)[] more)
    {
        var (database, clock) = (await postgres.CreateDatabaseAsync(), new ManualTimeProvider());
        return new ReplicaPairFixture(database, clock, [Replica(), Replica()]);

        BridgeFixture Replica() => BridgeFixture.Build(
            BridgeFixture.Settings(database.ConnectionString, new Uri($"http://127.0.0.1:{FreePort.Next()}")), clock,
            [("Provisioning:Tiers:trial:Credits", "0"), ("Provisioning:Period", "3650.00:00:00"), .. more]);
    }

    public Task AddAsync(IEnumerable<string> accounts) => Database.ExecuteAsync(
        AddSql, new { Ids = accounts.ToArray(), Created = Clock.GetUtcNow().UtcDateTime.AddDays(-1) });

    /// <summary>Carries out a row on one of the replicas.</summary>
    /// <param name="replica">0 or 1.</param>
    /// <param name="account">The account.</param>
    /// <param name="row">Its amounts and keys; its ends count days from the start.</param>
    /// <param name="start">When day 0 was.</param>
    /// <param name="ids">Ids of ledger rows by the keys of rows; filled by this.</param>
    /// <returns>Whether it was accepted.</returns>
    public async Task<bool> ApplyAsync(
        int replica, string account, ModelRow row, DateTimeOffset start, IDictionary<string, string> ids)
    {
        var services = _replicas[replica].Services;
        switch (row)
        {
            case ModelRow.Void taken:
                var order = new GrantVoid(account, $"tx:{ids[taken.Of]}", (VoidReach)taken.Beyond, "test", "test");
                return (await services.GetRequiredService<GrantBook>().VoidAsync(order, Token)).Outcome == GrantChangeOutcome.Done;
            case ModelRow.Forfeit:
                await Database.ExecuteAsync(EndPeriodSql, new { End = Clock.GetUtcNow().UtcDateTime, account });
                await services.GetRequiredService<PeriodReset>().RunAsync(Token);
                return true;
            default:
                if (!await WriteAsync(services, ChangeOf(account, row, start, ids)))
                    return false;
                ids[row.Key] = (await Database.ScalarAsync<string>(IdSql, new { account, row.Key }))!;
                return true;
        }
    }

    /// <summary>The account's grants as one of the replicas reads them.</summary>
    public async Task<AccountGrants> ReadAsync(int replica, string account) =>
        (await _replicas[replica].Services.GetRequiredService<GrantBook>().ListAsync(account, Token))!;

    /// <summary>Sweeps on both at once.</summary>
    public Task SweepAsync() =>
        Task.WhenAll(_replicas.Select(replica => replica.Services.GetRequiredService<LotSweep>().RunAsync(Token)));

    /// <summary>Writes the notices that are due, on both at once, and returns all that were ever written.</summary>
    public async Task<IReadOnlyList<string>> NoticesAsync()
    {
        await Task.WhenAll(_replicas.Select(replica => replica.Services.GetRequiredService<GrantNotices>().RunAsync(Token)));
        return await Database.QueryAsync<string>(NoticesSql);
    }

    /// <summary>Moves the end of a grant to a day.</summary>
    public Task ExtendAsync(string account, string id, DateTimeOffset end) => _replicas[0].Services.GetRequiredService<GrantBook>()
        .ExtendAsync(new GrantExtension(account, $"tx:{id}", end, true, null, "test"), Token);

    /// <summary>Every balance is the sum of its ledger.</summary>
    public async Task CheckSumsAsync() => Assert.Empty(await Database.QueryAsync<string>(UnbalancedSql));

    /// <summary>The same at every moment at which a reader can look while the work goes on.</summary>
    public async Task WatchSumsAsync(Task work)
    {
        while (!work.IsCompleted)
            await CheckSumsAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var replica in _replicas)
            await replica.DisposeAsync();
        await Database.DisposeAsync();
    }

    private static CreditChange ChangeOf(string account, ModelRow row, DateTimeOffset start, IDictionary<string, string> ids)
    {
        return row switch
        {
            ModelRow.Grant grant => Change(grant.Amount, grant.Paid ? "purchase" : "bonus") with { Stamp = StampOf(grant, start) },
            ModelRow.Debit debit => Change(-debit.Amount, "usage") with { Service = "s", MayOverdraw = true },
            ModelRow.Refund { Of: { } of } refund => Change(refund.Amount, "refund", ids[of]) with
            {
                Refunds = Guid.Parse(ids[of]),
            },
            ModelRow.Refund refund => Change(refund.Amount, "refund"),
            _ => throw new ArgumentOutOfRangeException(nameof(row)),
        };

        CreditChange Change(decimal amount, string type, string? refunds = null) => new(
            new AccountSelector("demo", account, false, []), amount, type,
            new JsonObject { ["by"] = "test", ["row"] = row.Key, ["refunds"] = refunds }.ToJsonString(), "test", null, []);
    }

    // Without an end and a priority of its own a grant is its ledger row alone.
    private static GrantStamp? StampOf(ModelRow.Grant grant, DateTimeOffset start) => grant is { Ends: null, Priority: 50 }
        ? null
        : new GrantStamp(
            grant.Paid ? GrantCategory.Paid : GrantCategory.Promotional, grant.Priority,
            grant.Ends is { } ends ? start.AddDays(ends) : null);

    /// <summary>Whether the change was accepted.</summary>
    private static async Task<bool> WriteAsync(IServiceProvider services, CreditChange change)
    {
        try
        {
            return await services.GetRequiredService<LedgerWriter>().WriteAsync(change) is not null;
        }
        catch (RequestRefusedException)
        {
            return false;
        }
    }
}
