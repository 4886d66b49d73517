using KeycloakCreditBridge.Chaos.Checks;
using KeycloakCreditBridge.Chaos.Evidence;
using KeycloakCreditBridge.Chaos.World;

namespace KeycloakCreditBridge.Chaos.Plants;

/// <summary>Plants each broken promise into a sound run and tells which check finds it.</summary>
internal static class SelfTest
{
    /// <summary>The plants that were not found by the check that has to; one line each.</summary>
    /// <param name="world">Where the sound run took place.</param>
    /// <param name="sound">The sound run.</param>
    /// <param name="name">A part of the names of the plants that are wanted; empty for all.</param>
    /// <param name="say">Takes a line about each.</param>
    public static async Task<IReadOnlyList<string>> RunAsync(ChaosWorld world, CaseFile sound, string name, Action<string> say)
    {
        List<string> missed = [];
        await using var connection = await world.DataSource.OpenConnectionAsync();
        foreach (var plant in AllPlants.Each.Where(plant => plant.Name.Contains(name, StringComparison.OrdinalIgnoreCase)))
        {
            var findings = AllChecks.Of(await plant.SowAsync(connection, sound));
            var found = findings.FirstOrDefault(finding => finding.Check == plant.Check);
            say(found is null ? $"   MISSED  {plant.Name}" : $"   found   {plant.Name}: {found.Text}");
            if (found is null)
                missed.Add($"The check {plant.Check} does not find that {plant.Name}.");
        }

        return missed;
    }
}
