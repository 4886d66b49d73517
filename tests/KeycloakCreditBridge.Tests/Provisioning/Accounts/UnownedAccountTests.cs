using Dapper;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Provisioning.Accounts;

/// <summary>A value that a user can choose, or that no realm has verified, takes no account and occupies no account id.</summary>
public sealed class UnownedAccountTests(PostgresFixture postgres)
{
    private static ProvisioningOptions ByEmail => new() { AccountId = "{email}" };

    [Fact]
    public async Task An_unowned_account_is_not_given_by_address_where_several_realms_share_account_ids()
    {
        await using var fixture = await StartAsync(postgres, ByEmail, Realm, "other");
        await fixture.Database.ExecuteAsync("insert into user_credits (user_id, credits_remaining) values ('ana@example.com', 3)");

        var ana = User("ana", "ana@example.com", realm: "other");
        await fixture.ReadAsync(ana);
        Assert.Equal(["ana@example.com active 3.00"], await fixture.AccountsAsync());
        Assert.Equal(["ana excluded account_id_taken"], await fixture.KnownAsync());
        Assert.Empty(await fixture.DifferencesAsync(ana));

        // As adoption does.
        await fixture.Database.ExecuteAsync("update user_credits set realm = 'other', keycloak_id = 'ana'");
        Assert.Equal(["ana"], await fixture.DifferencesAsync(ana));
        await fixture.ReadAsync(ana);
        Assert.Equal(["ana account ana@example.com"], await fixture.KnownAsync());
    }

    [Fact]
    public async Task An_unverified_address_occupies_no_account_id_that_a_verified_owner_in_another_realm_needs()
    {
        await using var fixture = await StartAsync(postgres, ByEmail, Realm, "other");
        var squatter = User("squatter", "ana@example.com") with { EmailVerified = false };
        await fixture.ReadAsync(squatter);
        await fixture.ReadAsync(User("ana", "ana@example.com", realm: "other"));
        Assert.Equal(["ana@example.com active 5.00 of ana"], await fixture.AccountsAsync());
        Assert.Empty(await fixture.DifferencesAsync(squatter));
        Assert.Equal(["ana account ana@example.com", "squatter excluded email_not_verified"], await fixture.KnownAsync());

        await fixture.ReadAsync(User("ben", "ben@example.com"));
        await fixture.ReadAsync(User("ben", "bea@example.com") with { EmailVerified = false });
        await fixture.ReadAsync(User("bea", "bea@example.com", realm: "other"));
        Assert.Equal(
            ["ana@example.com active 5.00 of ana", "bea@example.com active 5.00 of bea", "ben@example.com active 5.00 of ben"],
                await fixture.AccountsAsync());
    }

    [Theory]
    [InlineData("{attribute:customer}")]
    [InlineData("{username}")]
    [InlineData("{realm}-{username}")]
    public async Task An_unowned_account_is_not_given_to_a_user_that_chooses_its_id(string template)
    {
        await using var fixture = await StartAsync(postgres, new ProvisioningOptions { AccountId = template });
        var id = template.Replace("{realm}", Realm, StringComparison.Ordinal).Replace("{username}", "c1", StringComparison.Ordinal)
            .Replace("{attribute:customer}", "c1", StringComparison.Ordinal);
        await fixture.Database.ExecuteAsync("insert into user_credits (user_id, credits_remaining) values (@id, 100)", new { id });
        var thief = Chooser("thief", "c1");

        await fixture.ReadAsync(thief);
        Assert.Equal([$"{id} active 100.00"], await fixture.AccountsAsync());
        Assert.Equal(["thief excluded account_id_taken"], await fixture.KnownAsync());
        Assert.Empty(await fixture.DifferencesAsync(thief));

        await fixture.ReadAsync(Chooser("mover", "c2"));
        await fixture.ReadAsync(Chooser("mover", "c1"));
        Assert.Contains($"{id} active 100.00", await fixture.AccountsAsync());

        // As adoption does.
        await fixture.Database.ExecuteAsync(
            "update user_credits set realm = @Realm, keycloak_id = 'thief' where user_id = @id", new { Realm, id });
        await fixture.ReadAsync(thief);
        Assert.Contains($"{id} active 100.00 of thief", await fixture.AccountsAsync());
    }

    [Theory]
    [InlineData("{attribute:customer}", false)]
    [InlineData("{username}", false)]
    [InlineData("{email}", false)]
    [InlineData("{email}", true)]
    [InlineData("{id}", true)]
    public async Task A_ledger_without_an_account_is_opened_only_for_a_user_whose_id_is_proven(string template, bool proven)
    {
        await using var fixture = await StartAsync(postgres, new ProvisioningOptions { AccountId = template });
        var user = Chooser("c1", "c1") with { Email = "c1", EmailVerified = proven };
        await fixture.Database.ExecuteAsync(
            "insert into credit_transactions (user_id, amount, transaction_type) values ('c1', 100, 'purchase')");

        await fixture.ReadAsync(user);

        Assert.Equal(proven ? ["c1 active 105.00 of c1"] : [], await fixture.AccountsAsync());
        Assert.Equal([proven ? "c1 account c1" : "c1 excluded account_id_taken"], await fixture.KnownAsync());
        Assert.Empty(await fixture.DifferencesAsync(user));
    }

    [Fact]
    public async Task An_unowned_account_that_is_inserted_meanwhile_is_not_given_either()
    {
        await using var fixture = await StartAsync(postgres, new ProvisioningOptions { AccountId = "{username}" });
        await using var other = await fixture.Database.DataSource.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await using var transaction = await other.BeginTransactionAsync(TestContext.Current.CancellationToken);
        await other.ExecuteAsync("insert into user_credits (user_id, credits_remaining) values ('c1', 100)");
        var converging = fixture.ReadAsync(Chooser("thief", "c1"));
        await Eventually.TrueAsync(() => fixture.Database.WaitsAsync("with desired as"), "the statement waits for the account");
        await transaction.CommitAsync(TestContext.Current.CancellationToken);

        Assert.Equal(0, (await converging).Opened);
        Assert.Equal(["c1 active 100.00"], await fixture.AccountsAsync());
        Assert.Equal(["thief excluded account_id_taken"], await fixture.KnownAsync());
    }

    private static Subject Chooser(string id, string value) => User(id, $"{id}@example.com") with
    {
        Username = value, Attributes = new Dictionary<string, IReadOnlyList<string>> { ["customer"] = [value] },
    };
}
