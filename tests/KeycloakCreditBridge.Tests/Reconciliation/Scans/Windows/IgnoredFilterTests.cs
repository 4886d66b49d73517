using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Sandbox.Proxies;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.AspNetCore.Http;

namespace KeycloakCreditBridge.Tests.Reconciliation.Scans.Windows;

/// <summary>
/// A server that found users by creation is replaced by one that ignores the filter and answers every user in any window, as Keycloak did
/// before 26.6. It may do so for the question too by which the bridge finds out.
/// </summary>
public sealed class IgnoredFilterTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const int Users = 300;
    private const string Malformed = "abc";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private ReconciliationFixture _fixture = null!;
    private HttpProxy _front = null!;
    private BridgeFixture _bridge = null!;
    private int _counts;

    // From now on, and for well-formed values alone or for the malformed one too.
    private bool _ignores;
    private bool _ignoresMalformed;

    public async ValueTask InitializeAsync()
    {
        _fixture = await ReconciliationFixture.StartAsync(postgres, Users);
        _front = await HttpProxy.StartAsync(_fixture.Keycloak.Server.Url, MeetAsync, TestContext.Current.CancellationToken);
        _bridge = BridgeFixture.Build(BridgeFixture.Settings(_fixture.Database.ConnectionString, _front.Url));
        Assert.Equal(ReconcileMode.Windows, (await RunAsync(ReconcileMode.Auto)).Mode);
        _counts = 0;
    }

    public async ValueTask DisposeAsync()
    {
        await _bridge.DisposeAsync();
        await _front.DisposeAsync();
        await _fixture.DisposeAsync();
    }

    [Theory]
    [InlineData("Windows", true)]
    [InlineData("Windows", false)]
    [InlineData("Counts", true)]
    [InlineData("Counts", false)]
    public async Task It_ends_a_run_soon_and_closes_no_account(string mode, bool malformedToo)
    {
        (_ignores, _ignoresMalformed) = (true, malformedToo);
        _fixture.Realm.AddUser(new EmulatedUser("newest", "newest") { CreatedTimestamp = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() });

        var outcome = await RunAsync(Enum.Parse<ReconcileMode>(mode));

        Assert.Equal((ReconcileStatus.Failed, 0L), (outcome.Status, outcome.Counts.Closed));
        Assert.Contains("it no longer filters by creation time", outcome.Reason, StringComparison.Ordinal);
        Assert.InRange(_counts, 1, 60);
        Assert.Equal(Users, await _fixture.Database.ScalarAsync<int>("select count(*)::int from user_credits where status = 'active'"));
    }

    [Fact]
    public async Task The_next_run_finds_out_and_lists_every_user()
    {
        (_ignores, _ignoresMalformed) = (true, true);
        _fixture.Realm.AddUser(new EmulatedUser("newest", "newest") { CreatedTimestamp = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() });
        Assert.Equal(ReconcileStatus.Failed, (await RunAsync(ReconcileMode.Auto)).Status);

        var next = await RunAsync(ReconcileMode.Auto);

        Assert.Equal(
            (ReconcileStatus.Done, ReconcileMode.List, 1L, 0L), (next.Status, next.Mode, next.Counts.Provisioned, next.Counts.Closed));
        await _fixture.AssertAllUsersHaveAccountsAsync();
    }

    private async Task<ReconcileOutcome> RunAsync(ReconcileMode mode)
    {
        // A plan that finds no end is stopped.
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(Patience);
        return await ReconciliationFixture.RunAsync(
            _bridge, ReconciliationFixture.By(mode) with { AllowClosing = Users }, null, patience.Token);
    }

    private Task MeetAsync(HttpContext context, RequestDelegate passOn)
    {
        if (context.Request.Path.Value!.EndsWith("/users/count", StringComparison.Ordinal))
            Interlocked.Increment(ref _counts);
        var query = context.Request.Query;
        if (_ignores && (_ignoresMalformed || query["createdAfter"] != Malformed))
        {
            context.Request.QueryString = QueryString.Create(
                query.Where(
                    value =>
                        value.Key is not ("createdAfter" or "createdBefore")).Select(value => KeyValuePair.Create(value.Key, value.Value)));
        }

        return passOn(context);
    }
}
