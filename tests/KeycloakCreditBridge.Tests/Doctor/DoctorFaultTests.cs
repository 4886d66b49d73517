using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Doctor;

/// <summary>Each fault of <see cref="DoctorFaults"/>, planted into a healthy system and repaired again.</summary>
[StartsPrograms]
public sealed class DoctorFaultTests(DoctorFixtures fixtures) : IClassFixture<DoctorFixtures>
{
    public static TheoryData<string> Faults => [.. DoctorFaults.All.Keys];

    [Theory, MemberData(nameof(Faults))]
    public Task A_planted_fault_is_named_with_its_cure_on_the_emulator(string fault) => FindAsync(KeycloakKind.Emulator, fault);

    [Theory, MemberData(nameof(Faults)), Trait(TestNeeds.Trait, TestNeeds.Keycloak)]
    public Task A_planted_fault_is_named_with_its_cure_on_Keycloak_26_7(string fault) => FindAsync(KeycloakKind.Keycloak26_7, fault);

    private async Task FindAsync(KeycloakKind kind, string name)
    {
        // Healthy, as the test before left it.
        var (fixture, fault) = (await fixtures.GetAsync(kind), DoctorFaults.All[name]);
        var repair = await fault.Plant(fixture);
        var (exitCode, found) = await fixture.RunDoctorAsync();
        await fixture.RepairAsync(repair);

        Assert.Equal(1, exitCode);
        var line = found.First(item => item.Check == fault.Check);
        var text = $"{line.Finding.Message}: {line.Finding.Cure}";
        Assert.True(
            line.Finding.Verdict == (fault.Verdict == "FAIL" ? Verdict.Fail : Verdict.Warn),
            $"{fault.Check} is {line.Finding.Verdict}: {text}");
        Assert.Contains(fault.Says, text, StringComparison.Ordinal);
        await AssertHealthyAsync(fixture);
    }

    internal static async Task AssertHealthyAsync(DoctorFixture fixture)
    {
        var (exitCode, found) = await fixture.RunDoctorAsync();
        Assert.Empty(found.Where(item => item.Finding.Verdict != Verdict.Ok).Select(item => $"{item.Check}: {item.Finding.Message}"));
        Assert.Equal(0, exitCode);
    }
}

/// <summary>One fixture of each kind, for all tests of the class.</summary>
public sealed class DoctorFixtures(KeycloakFixture servers, PostgresFixture postgres) : IAsyncDisposable
{
    private readonly Dictionary<KeycloakKind, DoctorFixture> _fixtures = [];

    internal async Task<DoctorFixture> GetAsync(KeycloakKind kind)
    {
        if (_fixtures.TryGetValue(kind, out var known))
            return known;
        var fixture = _fixtures[kind] = await DoctorFixture.StartAsync(await servers.GetAsync(kind), postgres);
        await DoctorFaultTests.AssertHealthyAsync(fixture);
        return fixture;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var fixture in _fixtures.Values)
            await fixture.DisposeAsync();
    }
}
