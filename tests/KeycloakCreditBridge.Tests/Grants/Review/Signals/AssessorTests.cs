using KeycloakCreditBridge.Grants.Review;
using KeycloakCreditBridge.Grants.Review.Signals.Entries;
using KeycloakCreditBridge.Grants.Review.Signals.Hashes;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Grants.Review.Signals.SignalFixture;

namespace KeycloakCreditBridge.Tests.Grants.Review.Signals;

/// <summary>What signals say of users, once and for all.</summary>
public sealed class AssessorTests(PostgresFixture postgres)
{
    private const string PaySql =
        """
        insert into user_credits (user_id, credits_remaining, credits_allocated, tier) values (@Id, 5, 5, 'trial');
        insert into credit_transactions (user_id, amount, transaction_type, metadata) values (@Id, 5, 'purchase', @Metadata::jsonb);
        """;

    private const string FillSql =
        """
        insert into fraud_origins (realm, keycloak_id, registered_at, network)
        select 'shop', n::text, @Registered, decode(md5('network ' || n), 'hex') from generate_series(1, 3000) n;
        insert into fraud_registrations (realm, keycloak_id, registered_at, inbox, domain, series, signals)
        select 'shop', n::text, @Registered, decode(md5('inbox ' || n), 'hex'), decode(md5('domain ' || n), 'hex'),
            decode(md5('series ' || n), 'hex'), '{}'
        from generate_series(1, 3000) n;
        """;

    private const string KeptSql = "select sum(n_tup_ins)::bigint from pg_stat_user_tables where relname like 'fraud%'";

    private const string ReadRowsSql =
        """
        select sum(coalesce(t.seq_tup_read, 0) + (
            select sum(i.idx_tup_read) from pg_stat_user_indexes i where i.relid = t.relid))::bigint
        from pg_stat_user_tables t
        where t.relname like 'fraud%'
        """;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_realm_without_review_is_clean_and_nothing_is_kept()
    {
        await using var fixture = await StartAsync(postgres);
        var assessed = await fixture.Assessor.AssessAsync([User("ana") with { Realm = Quiet }], Token);
        Assert.Equal(Assessment.Clean, assessed["ana"]);
        Assert.Equal(0, await fixture.Database.ScalarAsync<int>("select count(*)::integer from fraud_registrations"));
    }

    [Fact]
    public async Task The_second_user_of_an_inbox_is_told_and_the_first_is_not_however_often_they_are_asked()
    {
        await using var fixture = await StartAsync(postgres);
        Assert.Equal([""], await fixture.SpokeAsync(User("ana", "ana@gmail.com")));
        Assert.Equal(
            ["same_inbox", "same_inbox"], await fixture.SpokeAsync(User("bob", "a.na+1@gmail.com"), User("cem", "ANA@googlemail.com")));
        Assert.Equal(["", "same_inbox", ""], await fixture.SpokeAsync(
            User("ana", "ana@gmail.com"), User("bob", "changed@example.com"), User("dan", "ana@example.com")));
    }

    [Fact]
    public async Task Of_a_burst_that_comes_at_once_those_from_the_twentieth_on_are_told()
    {
        await using var fixture = await StartAsync(postgres);
        // Which domains are common is read now: users of days ago would make theirs one.
        await fixture.SpokeAsync(User("first"));
        var spoke = await Task.WhenAll(Enumerable.Range(0, 30).Select(number => Task.Run(
            () => fixture.SpokeAsync(User($"u{number}", $"{Word(number)}@rare.example", number / 100.0)))));
        Assert.Equal(11, spoke.Count(signals => signals is ["domain_burst"]));
        Assert.Equal(19, spoke.Count(signals => signals is [""]));
        Assert.Equal(["domain_burst", ""], await fixture.SpokeAsync(
            User("late", "late.one@rare.example", 9), User("later", "later.one@rare.example", 11)));
    }

    [Fact]
    public async Task A_batch_counts_as_its_users_one_by_one()
    {
        await using var fixture = await StartAsync(postgres);
        var spoke = await fixture.SpokeAsync(
            [.. Enumerable.Range(0, 30).Select(number => User($"u{number}", $"{Word(number)}@rare.example", number / 100.0))]);
        Assert.Equal([.. Enumerable.Repeat("", 19), .. Enumerable.Repeat("domain_burst", 11)], spoke);
    }

    [Fact]
    public async Task Many_users_of_a_provider_or_of_a_domain_that_the_realm_has_long_are_no_burst()
    {
        await using var fixture = await StartAsync(postgres);
        await fixture.SpokeAsync(
            [.. Enumerable.Range(0, 20).Select(
                number => User($"old{number}", $"{Word(number)}.old@firm.example", -2_000 - (number * 30)))]);
        fixture.Clock.Advance(TimeSpan.FromHours(1));
        Assert.All(
            await fixture.SpokeAsync([
                .. Enumerable.Range(0, 30).Select(number => User($"g{number}", $"{Word(number)}@gmx.de", number / 100.0)),
                .. Enumerable.Range(0, 30).Select(number => User($"f{number}", $"{Word(number)}@firm.example", number / 100.0))]),
            spoke => Assert.Equal("", spoke));
    }

    [Fact]
    public async Task The_fifth_of_a_series_of_names_within_an_hour_is_told()
    {
        await using var fixture = await StartAsync(postgres);
        Assert.Equal(["", "", "", "", "sequential_names"], await fixture.SpokeAsync(
            [.. Enumerable.Range(8, 5).Select(number => User($"u{number}", $"promo{number}@gmail.com", number))]));
        Assert.Equal(["", ""], await fixture.SpokeAsync(User("other", "promo13@gmx.de", 14), User("late", "promo14@gmail.com", 80)));
    }

    [Fact]
    public async Task A_list_that_changes_says_nothing_about_earlier_users()
    {
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, "old.example\n", Token);
        await using (var fixture = await StartAsync(postgres, own: file))
        {
            Candidate[] users = [User("ana", "ana@old.example"), User("bob", "bob@new.example")];
            Assert.Equal(["disposable_domain", ""], await fixture.SpokeAsync(users));
            await File.WriteAllTextAsync(file, "new.example\n", Token);
            fixture.Clock.Advance(TimeSpan.FromMinutes(1));
            Assert.Equal(
                ["disposable_domain", "", "disposable_domain"], await fixture.SpokeAsync([.. users, User("cem", "cem@new.example")]));
        }

        File.Delete(file);
    }

    [Theory]
    [InlineData("{}", "paid")]
    [InlineData("{\"reason\": \"stripe\"}", "paid")]
    [InlineData("{\"reason\": \"initial_allocation\"}", null)]
    [InlineData("{\"reason\": \"adopted\"}", null)]
    public async Task Who_bought_credits_is_exempt_and_an_opening_grant_is_no_purchase(string metadata, string? exempt)
    {
        await using var fixture = await StartAsync(postgres);
        await fixture.Database.ExecuteAsync(PaySql, new { Id = "bob", Metadata = metadata });
        await fixture.SpokeAsync(User("ana", "ana@gmail.com"));
        var bob = (await fixture.Assessor.AssessAsync([User("bob", "ana+1@gmail.com")], Token))["bob"];
        Assert.Equal((exempt, exempt is null ? 40 : 0), (bob.Exempt, bob.Score));
    }

    [Fact]
    public async Task A_user_that_registered_long_ago_is_told_nothing_of_and_later_ones_of_its_inbox_are()
    {
        await using var fixture = await StartAsync(postgres);
        await fixture.SpokeAsync(User("ana", "ana@gmail.com"));
        Assert.Equal([""], await fixture.SpokeAsync(User("old", "ana+old@gmail.com", -60 * 24 * 40)));
        Assert.Equal(["same_inbox"], await fixture.SpokeAsync(User("new", "ana+new@gmail.com")));
    }

    [Fact]
    public async Task Without_the_database_and_without_a_list_nothing_counts_and_that_is_told()
    {
        await using var fixture = await StartAsync(postgres);
        var ana = (await fixture.Assessor.AssessAsync([User("ana", "no address")], Token))["ana"];
        Assert.Equal(
            [("disposable_domain", "no_list"), ("same_inbox", "address_malformed"), ("network_hour", "no_event")],
            ana.Hits.Select(hit => (hit.Signal, hit.Missing!)));
        await fixture.Database.ExecuteAsync("drop table fraud_registrations");
        var bob = (await fixture.Assessor.AssessAsync([User("bob")], Token))["bob"];
        Assert.Equal((0, null), (bob.Score, bob.Exempt));
        Assert.All(bob.Hits, hit => Assert.Equal((0, "unreadable"), (hit.Score, hit.Missing)));
        Assert.Equal(SignalNames.All.Count, bob.Hits.Count);
    }

    [Fact]
    public async Task What_an_operator_says_of_a_domain_or_an_address_wins()
    {
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, "listed.example\n", Token);
        await using (var fixture = await StartAsync(postgres, own: file))
        {
            await fixture.Database.ExecuteAsync(
                """
                insert into fraud_entries (kind, value, verdict, made_by, made_at) values
                    ('domain', 'good.listed.example', 'allow', 'me', now()), ('domain', 'bad.example', 'deny', 'me', now()),
                    ('domain', 'really.bad.good.listed.example', 'deny', 'me', now()),
                    ('address', @Allowed, 'allow', 'me', now()), ('address', @Denied, 'deny', 'me', now())
                """,
                new { Allowed = HashOf(fixture, "ana@listed.example"), Denied = HashOf(fixture, "bob@gmail.com") });
            Assert.Equal(
                ["", "disposable_domain", "disposable_domain", "disposable_domain"],
                await fixture.SpokeAsync(
                    User("one", "x@mx.good.listed.example"), User("two", "x@listed.example"), User("three", "x@a.bad.example"),
                    User("four", "x@really.bad.good.listed.example")));
            var known = await fixture.Assessor.AssessAsync(
                [User("ana", "ana@listed.example"), User("bob", "b.o.b@gmail.com")], Token);
            Assert.Equal((0, "allowed"), (known["ana"].Score, known["ana"].Exempt));
            Assert.Equal(100, known["bob"].Score);
        }

        File.Delete(file);

        static string HashOf(SignalFixture fixture, string inbox) => Convert.ToHexStringLower(fixture.Hasher.Of("inbox", inbox)!);
    }

    [Fact]
    public async Task However_many_users_a_realm_has_few_rows_are_read_for_a_new_one()
    {
        await using var fixture = await StartAsync(postgres);
        await fixture.Database.ExecuteAsync(FillSql, new { Registered });
        await fixture.SeeAsync([.. Enumerable.Range(0, 50).Select(number => ($"u{number}", $"198.51.{number}.1", number / 100.0))]);
        Assert.All(await fixture.SpokeAsync([.. Enumerable.Range(0, 50).Select(number => User($"u{number}"))]), Assert.Empty);
        // A session counts what it read when it ends.
        fixture.Database.DataSource.Clear();
        await Eventually.TrueAsync(
            async () => await fixture.Database.ScalarAsync<long>(KeptSql) == 2 * 3_050, "all that was written is counted");
        Assert.InRange(await fixture.Database.ScalarAsync<long>(ReadRowsSql), 1, 50 * 100);
    }

    [Fact]
    public async Task No_address_stands_in_the_database()
    {
        await using var fixture = await StartAsync(postgres);
        await fixture.SpokeAsync(User("id-1", "Findable.Name77@secretive.example"));
        await fixture.SeeAsync(("id-1", "203.0.113.77", 0));
        var rows = await fixture.Database.QueryAsync<string>(
            "select r::text from fraud_registrations r union all select o::text from fraud_origins o");
        Assert.Equal(2, rows.Count);
        // As texts, and as bytes are shown.
        Assert.All(rows, row => Assert.DoesNotMatch("(?i)findable|secretive|203\\.0|66696e64|7365637265|cb0071", row));
    }

    // Names that belong to no series.
    private static string Word(int number) =>
        $"{(char)('a' + (number % 26))}{(char)('a' + (number / 26))}bcdef.{(char)('z' - (number % 26))}x";

    [Fact]
    public async Task A_changed_key_knows_inboxes_and_entries_of_the_one_before_and_without_it_none()
    {
        await using var fixture = await StartAsync(postgres);
        await fixture.SpokeAsync(User("ana", "ana@gmail.com"));
        await new EntryStore(fixture.Database.DataSource).SetAsync(
            new Entry(
                EntryKinds.Address, Convert.ToHexStringLower(fixture.Hasher.Of(SignalKinds.Inbox, "eve@gmail.com")!), "deny", null, "test",
                Now),
            Token);
        var next = new string('n', 32);
        await using var changed = fixture.Under(next, new string('k', 32));
        Assert.Equal(
            ["same_inbox", "denied", ""],
            await changed.SpokeAsync(User("bob", "a.n.a@gmail.com"), User("eve", "eve@gmail.com"), User("cem", "cem@gmail.com")));
        // Users of one batch, by the present key.
        Assert.Equal(["", "same_inbox"], await changed.SpokeAsync(User("dan", "dan@gmail.com"), User("don", "d.an@gmail.com")));
        await using var forgetful = fixture.Under(new string('o', 32));
        Assert.Equal(["", ""], await forgetful.SpokeAsync(User("ann", "an.a@gmail.com"), User("eva", "e.ve@gmail.com")));
    }
}
