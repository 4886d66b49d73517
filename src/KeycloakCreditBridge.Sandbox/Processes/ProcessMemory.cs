using System.Globalization;

namespace KeycloakCreditBridge.Sandbox.Processes;

/// <summary>What a process holds in memory, in megabytes; 0 on other systems than Linux.</summary>
/// <param name="Held">What a memory limit has to hold: its own pages, and those that it shares but no file has.</param>
/// <param name="Resident">With the pages of files, which the kernel can drop.</param>
/// <param name="Threads">How many threads it has.</param>
internal readonly record struct ProcessMemory(double Held, double Resident, int Threads)
{
    public static ProcessMemory Of(int process)
    {
        if (!OperatingSystem.IsLinux())
            return default;
        var fields = File.ReadLines($"/proc/{process}/status")
            .Select(line => line.Split(':', StringSplitOptions.TrimEntries))
            .ToDictionary(field => field[0], field => field[1].Split(' ')[0], StringComparer.Ordinal);
        return new ProcessMemory(Megabytes("RssAnon") + Megabytes("RssShmem"), Megabytes("VmRSS"), (int)Number("Threads"));

        double Megabytes(string field) => Number(field) / 1024;

        double Number(string field) => double.Parse(fields[field], CultureInfo.InvariantCulture);
    }
}
