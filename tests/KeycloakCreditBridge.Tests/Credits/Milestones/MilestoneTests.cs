using System.Text.Json.Nodes;
using KeycloakCreditBridge.Credits.Milestones;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Credits.Milestones;

public sealed class MilestoneTests(PostgresFixture postgres)
{
    private const string Columns = "first_read_at, first_spend_at, exhausted_at, purchased_at";

    private static readonly string[] AsService = [CreditsFixture.Service];
    private static readonly string[] AsAdmin = [CreditsFixture.Admin];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Each_milestone_is_noted_once_with_the_time_of_its_ledger_row()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var user = await fixture.AddUserAsync();
        await Eventually.TrueAsync(async () => (await RowAsync(fixture, user)).Read is not null, "the first read is noted");
        Assert.Equal((null, null, null), await LaterAsync(fixture, user));

        await ChangeAsync(fixture, CreditsFixture.Deduct, user, 2, AsService);
        var spent = await RowAsync(fixture, user);
        Assert.Equal((await TimeOfAsync(fixture, user, "usage"), null, null), (spent.Spend, spent.Exhausted, spent.Purchased));

        await ChangeAsync(fixture, CreditsFixture.Deduct, user, 3, AsService);
        await ChangeAsync(fixture, CreditsFixture.Allocate, user, 4, AsAdmin);
        await ChangeAsync(fixture, CreditsFixture.Allocate, user, 4, AsAdmin);
        await ChangeAsync(fixture, CreditsFixture.Deduct, user, 8, AsService);

        var all = await RowAsync(fixture, user);
        Assert.Equal((spent.Read, spent.Spend), (all.Read, all.Spend));
        Assert.Equal(
            await fixture.Database.ScalarAsync<DateTime?>(
                "select min(created_at) from credit_transactions where user_id = @user and balance_after = 0", new { user }),
            all.Exhausted);
        Assert.Equal(
            await fixture.Database.ScalarAsync<DateTime?>(
                "select min(created_at) from credit_transactions where user_id = @user and amount = 4", new { user }),
            all.Purchased);
    }

    [Fact]
    public async Task Neither_a_correction_nor_a_refund_nor_an_opening_is_a_spend_or_a_purchase()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var user = await fixture.AddUserAsync();

        await ChangeAsync(fixture, CreditsFixture.Adjust, user, -5, AsAdmin);
        await ChangeAsync(fixture, CreditsFixture.Adjust, user, 3, AsAdmin);
        await ChangeAsync(fixture, CreditsFixture.Refund, user, 1, AsAdmin);

        Assert.Equal((null, null, null), await LaterAsync(fixture, user));
    }

    [Fact]
    public async Task An_administrators_look_is_no_first_read()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var user = await fixture.AddUserAsync();
        await Eventually.TrueAsync(async () => (await RowAsync(fixture, user)).Read is not null, "the first read is noted");
        await fixture.Database.ExecuteAsync("update user_credits set first_read_at = null");

        await fixture.GetAsync($"{CreditsFixture.Balance}?user_id={user}", fixture.TokenOf("boss", AsAdmin));
        var other = await fixture.AddUserAsync();
        await Eventually.TrueAsync(async () => (await RowAsync(fixture, other)).Read is not null, "a later first read is noted");

        Assert.Null((await RowAsync(fixture, user)).Read);
    }

    [Fact]
    public async Task A_recount_from_the_ledger_finds_the_milestones_that_were_noted_and_changes_none()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var users = new List<string>();
        for (var number = 0; number < 4; number++)
            users.Add(await fixture.AddUserAsync());
        await ChangeAsync(fixture, CreditsFixture.Deduct, users[0], 1, AsService);
        await ChangeAsync(fixture, CreditsFixture.Deduct, users[1], 5, AsService);
        await ChangeAsync(fixture, CreditsFixture.Allocate, users[2], 5, AsAdmin);
        var store = new MilestoneStore(fixture.Database.DataSource);
        await store.GrantedAsync(DateTimeOffset.UnixEpoch, Token);
        var noted = await AllAsync(fixture);

        Assert.Equal(0, await store.RecountAsync(Token));
        await fixture.Database.ExecuteAsync(
            "update user_credits set granted_at = null, first_spend_at = null, exhausted_at = null, purchased_at = null");
        Assert.Equal(4, await store.RecountAsync(Token));

        Assert.Equal(noted, await AllAsync(fixture));
        Assert.Equal(4, await fixture.Database.ScalarAsync<long>("select count(granted_at) from account_milestones"));
    }

    private static async Task ChangeAsync(CreditsFixture fixture, string path, string user, decimal amount, string[] roles)
    {
        var body = path == CreditsFixture.Deduct
            ? new JsonObject { ["user_id"] = user, ["amount"] = amount, ["service"] = "test" }
            : new JsonObject { ["user_id"] = user, ["amount"] = amount, [path == CreditsFixture.Allocate ? "source" : "reason"] = "test" };
        var answer = await fixture.PostAsync(path, fixture.TokenOf("caller", roles), body);
        Assert.True((int)answer.Status < 300, $"{answer.Body}");
    }

    private static async Task<(DateTime? Spend, DateTime? Exhausted, DateTime? Purchased)> LaterAsync(CreditsFixture fixture, string user)
    {
        var row = await RowAsync(fixture, user);
        return (row.Spend, row.Exhausted, row.Purchased);
    }

    private static async Task<(DateTime? Read, DateTime? Spend, DateTime? Exhausted, DateTime? Purchased)> RowAsync(
        CreditsFixture fixture, string user) =>
        Assert.Single(await fixture.Database.QueryAsync<(DateTime?, DateTime?, DateTime?, DateTime?)>(
            $"select {Columns} from user_credits where user_id = @user", new { user }));

    private static Task<DateTime?> TimeOfAsync(CreditsFixture fixture, string user, string type) =>
        fixture.Database.ScalarAsync<DateTime?>(
            "select min(created_at) from credit_transactions where user_id = @user and transaction_type = @type", new { user, type });

    private static Task<IReadOnlyList<string>> AllAsync(CreditsFixture fixture) => fixture.Database.QueryAsync<string>(
        "select (user_id, granted_at, first_spend_at, exhausted_at, purchased_at)::text from user_credits order by user_id");
}
