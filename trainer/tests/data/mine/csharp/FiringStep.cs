using System;

namespace Kiln
{
    public class FiringStep
    {
        public int StartMinute { get; set; }
        public int EndMinute { get; set; }
        public double StartCelsius { get; set; }
        public double EndCelsius { get; set; }

        public bool Contains(int minute)
        {
            return minute >= StartMinute && minute < EndMinute;
        }

        public double TargetAt(int minute)
        {
            if (!Contains(minute))
            {
                throw new ArgumentOutOfRangeException(nameof(minute));
            }
            var share = (minute - StartMinute) / (double)(EndMinute - StartMinute);
            return StartCelsius + share * (EndCelsius - StartCelsius);
        }
    }
}
